rule report:
    """Write a page with everything that a run found; it opens offline."""
    input:
        PLAN.tables,
        PLAN.figures,
        STAGES.reported,
    output:
        layout.report,
    log:
        layout.log("report"),
    benchmark:
        layout.benchmark("report")
    conda:
        "../envs/genreflow.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=STAGES.results,
        matrices=STAGES.gathered,
        limits=[one for one in (PLAN.notes, PLAN.choice) if one],
        marks=PLAN.marks,
        about=PLAN.about,
        code=code("report.py"),
    message:
        "Write the report"
    script:
        "../scripts/report.py"
