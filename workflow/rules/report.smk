rule report_sample:
    input:
        result=own_result,
        densities="results/samples/{sample}/densities.npz",
        controls=shown_controls,
        control_densities=shown_densities,
    output:
        html=report(
            "results/samples/{sample}/report.html",
            caption="../report/sample.rst",
            category="Samples",
            subcategory=run_of,
            labels=labels_of,
        ),
        fhir="results/samples/{sample}/report.fhir.json",
    log:
        "logs/report/{sample}.log",
    # After a gate was moved somebody waits for the report, and nobody for the tables.
    priority: 50
    group:
        batch
    threads: 1
    resources:
        mem_mb=report_memory,
        runtime=lambda wildcards, attempt: 1 * attempt,
        tries_left=tries_left,
        at_once=1,
    params:
        reviews=sample_reviews,
        ledger=literally(ledger()),
        reviewers=literally(reviewers()),
        seen=sample_reviews_seen,
        failures=lambda wildcards: f"failures {tried(wildcards.sample, 'report')}",
    shell:
        "step() {{ cd40l-flow report --result {input.result:q} --shown-controls --log {log:q}"
        " --reviews {params.reviews:q} --reviewers {params.reviewers:q} --ledger {params.ledger:q}"
        " --out {output.html:q} --fhir {output.fhir:q} $@ 2>&1; }};"
        " step | tee {log:q} || {{ code=$?; [ {resources.tries_left} -eq 0 ] || exit $code;"
        " step --failed $code | tee -a {log:q}; }}"
