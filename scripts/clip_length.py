from genreflow.runtime.logs import logged

with logged(snakemake.log[0]) as say:
    from genreflow.audio import audit
    from genreflow.runtime.files import write_json

    params = snakemake.params
    found = audit.clip_length(snakemake.input, **params.audio, fit=params.fit)
    write_json(found, snakemake.output[0])
    (say if params.fit else print)(audit.describe_length(found))
