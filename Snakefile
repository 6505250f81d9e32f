workflow.include("workflow/Snakefile", overwrite_default_target=True)  # an include: would lose the default target
