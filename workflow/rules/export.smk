# The gates that the analysis wrote for other programs, read back by another program, FlowKit, and compared event for event.
# Samples differ in numbers only, which every analysis checks against its own gates; anything that could be misread is in
# the controls of the run too, on the same instrument with the same panel: they are read back, and any other sample when
# its table is asked for. A difference is reported at the end of the run and stops nothing else.
rule export:
    input:
        result=own_result,
        gatingml="results/samples/{sample}/gates.gatingml.xml",
        wsp="results/samples/{sample}/gates.wsp",
    output:
        "results/samples/{sample}/gates.readback.tsv",
    log:
        "logs/export/{sample}.log",
    group:
        batch
    threads: 1
    resources:
        mem_mb=export_memory,
        runtime=analysis_minutes,
        tries_left=tries_left,
        at_once=1,
    params:
        job=job_file,
        failures=lambda wildcards: f"failures {tried(wildcards.sample, 'export')}",
    shell:
        "step() {{ cd40l-flow export --job {params.job:q} --result {input.result:q} --read-back --log {log:q}"
        " --gatingml {input.gatingml:q} --wsp {input.wsp:q} --table {output:q} $@ 2>&1; }};"
        " step | tee {log:q} || {{ code=$?; [ {resources.tries_left} -eq 0 ] || exit $code;"
        " step --failed $code | tee -a {log:q}; }}"
