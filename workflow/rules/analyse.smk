rule analyse:
    input:
        fcs=fcs_files,
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
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=analysis_memory,
        runtime=analysis_minutes,
    params:
        job=job,
        engine=ENGINE_VERSION,
        sizes=file_sizes,
    shell:
        "cd40l-flow analyse --job {params.job:q} --controls {input.controls:q}"
        " --result {output.result:q} --densities {output.densities:q}"
        " --gatingml {output.gatingml:q} --wsp {output.wsp:q} --measures {output.measures:q} 2>&1 | tee {log:q}"
