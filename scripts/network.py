import importlib

from genreflow.runtime.logs import logged

with logged(snakemake.log[0]):
    params = snakemake.params
    made = importlib.import_module(params.preparer).make(
        snakemake.output[0],
        params.network,
        **{name: str(path) for name, path in snakemake.input.items() if path},
        images=params.images,
        threads=snakemake.threads,
    )
    print(f"{snakemake.wildcards.feature_set}: {made}")
