from genreflow.runtime.logs import logged

with logged(snakemake.log[0], visible=True) as say:
    from genreflow.bundle import page, playlists, predicted

    output = snakemake.output
    found = predicted.read_json(snakemake.input[0])
    page.write(found, output.page)
    playlists.write(found, output.playlists)
    say(f"The page: {output.page}; playlists: {output.playlists}")
