# Nothing waits for it: were it an input of the analyses, even an ancient() one, Snakemake would not look at their own
# params whenever the check runs again, and a change of the sheets would show only in the run after. It goes first.
rule check:
    output:
        "results/check.json",
    log:
        "logs/check.log",
    priority: 100
    localrule: True
    conda:
        "../../environment.yml"
    params:
        config=literally(CONFIG_FILE),
        sheets=lambda wildcards: f"sheets {sheets_seen()}",
        reviews=lambda wildcards: f"reviews {reviews_seen()}",
        files=lambda wildcards: f"files {files_seen()}",
    shell:
        "cd40l-flow check --configfile {params.config:q} --out {output:q} 2>&1 | tee {log:q}"
