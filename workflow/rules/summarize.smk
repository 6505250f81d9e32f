# The commands take the names of the samples from the sheet: thousands of paths do not fit into a command line.
RESULTS = expand("results/samples/{sample}/result.json", sample=SAMPLES)


rule summarize:
    input:
        results=RESULTS,
    output:
        report(
            "results/summary.tsv", caption="../report/summary.rst", category="Cohort", labels={"table": "all samples"}
        ),
    log:
        "logs/summarize.log",
    localrule: True
    params:
        sheet=literally(PLAN.config.samples),
        jobs=str(JOBS),
        reviews=literally(PLAN.config.reviews or []),
        ledger=literally(ledger()),
        reviewers=literally(reviewers()),
        reviews_seen=lambda wildcards: f"reviews {reviews_seen()}",
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --jobs {params.jobs:q} --reviews {params.reviews:q} --ledger {params.ledger:q} --reviewers {params.reviewers:q} --summary {output:q} 2>&1 | tee {log:q}"


rule index:
    input:
        results=RESULTS,
        densities=expand("results/samples/{sample}/densities.npz", sample=SAMPLES),
        # It links a report only if that is of this result.
        reports=expand("results/samples/{sample}/report.html", sample=SAMPLES),
    output:
        report("results/index.html", caption="../report/index.rst", category="Cohort", labels={"table": "index"}),
    log:
        "logs/index.log",
    localrule: True
    params:
        sheet=literally(PLAN.config.samples),
        jobs=str(JOBS),
        reference=literally(PLAN.config.reference or []),
        history=lambda wildcards: f"reference {hashed(PLAN.config.reference and content_digest(PLAN.config.reference))}",
        reviews=literally(PLAN.config.reviews or []),
        ledger=literally(ledger()),
        reviewers=literally(reviewers()),
        reviews_seen=lambda wildcards: f"reviews {reviews_seen()}",
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --jobs {params.jobs:q} --reviews {params.reviews:q} --ledger {params.ledger:q} --reviewers {params.reviewers:q} --index {output:q} --reference {params.reference:q} 2>&1 | tee {log:q}"


# The assays of one person side by side: a page each, and a table of all.
rule subjects:
    input:
        results=RESULTS,
        # It links a report only if that is of this result.
        reports=expand("results/samples/{sample}/report.html", sample=SAMPLES if SUBJECTS else []),
    output:
        table="results/subjects.tsv",
        pages=expand("results/subjects/{subject}.html", subject=SUBJECTS),
    log:
        "logs/subjects.log",
    localrule: True
    params:
        sheet=literally(PLAN.config.samples),
        jobs=str(JOBS),
        reviews=literally(PLAN.config.reviews or []),
        ledger=literally(ledger()),
        reviewers=literally(reviewers()),
        reviews_seen=lambda wildcards: f"reviews {reviews_seen()}",
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --jobs {params.jobs:q} --reviews {params.reviews:q} --ledger {params.ledger:q} --reviewers {params.reviewers:q} --subjects {output.table:q} 2>&1 | tee {log:q}"


# Without reviews: a signature changes nothing in MultiQC.
rule multiqc:
    input:
        RESULTS,
    output:
        calls="results/multiqc/cd40l_flow_mqc.json",
        general="results/multiqc/cd40l_flow_general_mqc.tsv",
        negative_fraction="results/multiqc/cd40l_flow_negative_fraction_mqc.tsv",
        runs="results/multiqc/cd40l_flow_runs_mqc.tsv",
        methods="results/multiqc/cd40l_flow_methods_mqc.json",
        versions="results/multiqc/cd40l_flow_mqc_versions.yml",
    log:
        "logs/multiqc.log",
    localrule: True
    params:
        sheet=literally(PLAN.config.samples),
        jobs=str(JOBS),
    shell:
        "cd40l-flow summarize --samples {params.sheet:q} --jobs {params.jobs:q} --multiqc {output.calls:q} 2>&1 | tee {log:q}"
