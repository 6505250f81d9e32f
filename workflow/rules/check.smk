# Nothing waits for it: were it an input of the analyses, even an ancient() one, Snakemake would not look at their own
# params whenever the check runs again, and a change of the sheets would show only in the run after. It goes first.
rule check:
    input:
        sheets=[path for path in (PLAN.config.samples, PLAN.config.tubes, PLAN.config.overrides) if path],
        reviews=all_reviews(),
        fcs=sorted({path for sample in SAMPLES for path in PLAN.files(sample)}),
    output:
        "results/check.json",
    log:
        "logs/check.log",
    priority: 100
    localrule: True
    conda:
        "../../environment.yml"
    params:
        config=CONFIG_FILE,
        reviews=fingerprints(all_reviews()),
        strange=[str(problem) for problem in review_files(PLAN.config.reviews)[1]],
        sizes=sizes(path for sample in SAMPLES for path in PLAN.files(sample)),
        missing=sorted(tube.path for sample in PLAN.samples.values() for tube in sample.tubes if not tube.present),
    shell:
        "cd40l-flow check --configfile {params.config:q} --out {output:q} 2>&1 | tee {log:q}"
