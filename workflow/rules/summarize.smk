# The commands take the names of the samples from the sheet: thousands of paths do not fit into a command line.
RESULTS = expand("results/samples/{sample}/result.json", sample=SAMPLES)


rule summarize:
    input:
        results=RESULTS,
        reviews=all_reviews(),
    output:
        report(
            "results/summary.tsv", caption="../report/summary.rst", category="Cohort", labels={"table": "all samples"}
        ),
    log:
        "logs/summarize.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        sheet=PLAN.config.samples,
        reviews=fingerprints(all_reviews()),
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --reviews {input.reviews:q} --summary {output:q} 2>&1 | tee {log:q}"


rule index:
    input:
        results=RESULTS,
        densities=expand("results/samples/{sample}/densities.npz", sample=SAMPLES),
        reviews=all_reviews(),
        reference=PLAN.config.reference or [],
    output:
        report("results/index.html", caption="../report/index.rst", category="Cohort", labels={"table": "index"}),
    log:
        "logs/index.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        sheet=PLAN.config.samples,
        reviews=fingerprints(all_reviews()),
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --reviews {input.reviews:q} --index {output:q} --reference {input.reference:q} 2>&1 | tee {log:q}"


# Without reviews: a signature changes nothing that MultiQC shows.
rule multiqc:
    input:
        RESULTS,
    output:
        calls="results/multiqc/cd40l_flow_mqc.json",
        general="results/multiqc/cd40l_flow_general_mqc.tsv",
        negative_fraction="results/multiqc/cd40l_flow_negative_fraction_mqc.tsv",
        runs="results/multiqc/cd40l_flow_runs_mqc.tsv",
    log:
        "logs/multiqc.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        sheet=PLAN.config.samples,
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --multiqc {output.calls:q} 2>&1 | tee {log:q}"
