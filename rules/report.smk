rule report:
    """Write a page with everything that a run found; it opens offline."""
    input:
        tables(),
        figures(),
        reported_files,
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
        results=results_folder,
        limits=limits(),
        marks=marks(),
        code=code("report.py"),
    message:
        "Write the report"
    script:
        "../scripts/report.py"
