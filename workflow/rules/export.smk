# The gates of a sample for other programs. Both files are read back and compared before they are left: a difference fails
# the export of that sample and, with --keep-going, of no other.
rule export:
    input:
        fcs=fcs_files,
        result="results/samples/{sample}/result.json",
    output:
        gatingml="results/samples/{sample}/gates.gatingml.xml",
        wsp="results/samples/{sample}/gates.wsp",
        table="results/samples/{sample}/gates.readback.tsv",
        measures="results/samples/{sample}/measures.tsv",
    log:
        "logs/export/{sample}.log",
    benchmark:
        "logs/export/{sample}.benchmark.tsv"
    group:
        batch
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=export_memory,
        runtime=analysis_minutes,
    params:
        job=job,
    shell:
        "cd40l-flow export --job {params.job:q} --result {input.result:q}"
        " --gatingml {output.gatingml:q} --wsp {output.wsp:q} --table {output.table:q}"
        " --measures {output.measures:q} 2>&1 | tee {log:q}"
