rule report_sample:
    input:
        result="results/samples/{sample}/result.json",
        densities="results/samples/{sample}/densities.npz",
        controls=shown_controls,
        control_densities=shown_densities,
    output:
        report(
            "results/samples/{sample}/report.html",
            caption="../report/sample.rst",
            category="Samples",
            labels={"sample": "{sample}"},
        ),
    log:
        "logs/report/{sample}.log",
    benchmark:
        "logs/report/{sample}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    shell:
        "cd40l-flow report --result {input.result:q} --controls {input.controls:q} --out {output:q} 2>&1 | tee {log:q}"
