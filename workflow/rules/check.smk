# No rule waits for it: as an input of the analyses, even an ancient() one, Snakemake would ignore their own
# params whenever the check runs again, and a change of the sheets would only act one run later. It has priority.
rule check:
    output:
        "results/check.json",
    log:
        "logs/check.log",
    priority: 100
    localrule: True
    params:
        config=literally(CONFIG_FILE),
        sheets=lambda wildcards: f"sheets {sheets_seen()}",
        reviews=lambda wildcards: f"reviews {reviews_seen()}",
        files=lambda wildcards: f"files {files_seen()}",
    shell:
        "cd40l-flow check --configfile {params.config:q} --out {output:q} 2>&1 | tee {log:q}"
