# A step that crashes writes a failed result. If it is killed, the second command writes it, once Snakemake
# will not retry. Either way only its own sample fails, and the end of the run lists it. The word in the log shows
# that it was started: otherwise Snakemake makes an empty log.
rule analyse:
    input:
        controls=control_results,
    output:
        result="results/samples/{sample}/result.json",
        densities="results/samples/{sample}/densities.npz",
        gatingml="results/samples/{sample}/gates.gatingml.xml",
        wsp="results/samples/{sample}/gates.wsp",
        measures="results/samples/{sample}/measures.tsv",
    log:
        "logs/analyse/{sample}.log",
    group:
        batch
    threads: 1
    resources:
        mem_mb=analysis_memory,
        runtime=analysis_minutes,
        tries_left=tries_left,
        at_once=1,
    params:
        **PARTS,
        job=job_file,
    shell:
        "step() {{ cd40l-flow analyse --job {params.job:q} --log {log:q}"
        " --result {output.result:q} --densities {output.densities:q}"
        " --gatingml {output.gatingml:q} --wsp {output.wsp:q} --measures {output.measures:q} $@ 2>&1; }};"
        " echo begun > {log:q}; step | tee -a {log:q} || {{ code=$?; [ {resources.tries_left} -eq 0 ] || exit $code;"
        " step --failed $code | tee -a {log:q}; }}"
