RESULTS = expand("results/samples/{sample}/result.json", sample=SAMPLES)


rule summarize:
    input:
        RESULTS,
    output:
        report(
            "results/summary.tsv", caption="../report/summary.rst", category="Cohort", labels={"table": "all samples"}
        ),
    log:
        "logs/summarize.log",
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        "cd40l-flow summarize {input:q} --summary {output:q} 2>&1 | tee {log:q}"


rule index:
    input:
        RESULTS,
    output:
        report("results/index.html", caption="../report/index.rst", category="Cohort", labels={"table": "index"}),
    log:
        "logs/index.log",
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        "cd40l-flow summarize {input:q} --index {output:q} 2>&1 | tee {log:q}"
