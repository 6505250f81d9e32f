rule report_sample:
    input:
        result="results/samples/{sample}/result.json",
        densities="results/samples/{sample}/densities.npz",
        controls=shown_controls,
        control_densities=shown_densities,
        reviews=sample_reviews,
    output:
        report(
            "results/samples/{sample}/report.html",
            caption="../report/sample.rst",
            category="Samples",
            subcategory=run_of,
            labels=labels_of,
        ),
    log:
        "logs/report/{sample}.log",
    group:
        batch
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 600 * attempt,
        runtime=lambda wildcards, attempt: 1 * attempt,
    params:
        reviews=lambda wildcards: fingerprints(sample_reviews(wildcards)),
    shell:
        "cd40l-flow report --result {input.result:q} --controls {input.controls:q} --reviews {input.reviews:q}"
        " --out {output:q} 2>&1 | tee {log:q}"
