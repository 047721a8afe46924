"""What lies beside the configs for people to read: how to use the pack, and whose the texts are."""

from typing import TYPE_CHECKING

from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.packs.pack import Pack

Owners = dict[str, dict[str, set[str]]]  # licence to author to ids of their texts


def readme(pack: "Pack", imports: str, client: str, count: int, reading: bool = False, left_to_app: str = "") -> str:
    """``client``: lines for the vendor's own client, in which {model}, {config}, {during} and {file} are replaced.

    ``reading``: whether the files of during/ have one.  ``left_to_app``: as in Target.
    """
    first = pack.personas[0].files if pack.personas else ()
    paths = {file.path.split("/")[0]: file.path for file in first}
    client = client.format(
        model=pack.model, config=paths.get("configs", ""), during=paths.get("during", ""),
        file=pack.files[0].path if pack.files else "",
    )  # fmt: skip
    lines = [
        f"# {counted(count, 'persona')} for {pack.target}",
        "",
        f"Made from the plan {pack.plan}{f' for the model {pack.model}' if pack.model else ''}. In the vendor's own "
        "client:",
        "",
        "```python",
        imports,
        "",
        client,
        "```",
        "",
    ]
    if "during" in paths:
        lines += [
            "`during/` has for each persona what is sent once the session stands: `greeting`, with which it speaks "
            "first (null where it has no first words, or the config carries them), and `anchor`, which brings it back "
            "when a long conversation drifts (null where the API has no such event); `anchor_text` is the anchor for "
            "people to read.",
            "",
        ]
    if reading:
        lines += [
            "`reading` beside them is for text-to-speech: the first words and the persona's own answers with "
            "directions and marks, as a line to speak or to hear it by.",
            "",
        ]
    if "facts" in paths:
        lines += ["`facts/` has what can be checked of each persona: an answer may be held against it.", ""]
    lines += [f"This format has no place for: {'; '.join(pack.not_expressed)}.", ""]
    if left_to_app:
        lines += [left_to_app, ""]
    if pack.limit:
        lines += [f"Instructions may take {pack.limit}. What was left out is in `pack.json`, `left_out`.", ""]
    lines += ["Whose the texts are is in `ATTRIBUTION.md`; `personas verify` holds every byte against `pack.json`.", ""]
    return "\n".join(lines)


def attribution(owners: Owners) -> str:
    lines = [
        "# Attribution",
        "",
        "The texts in this pack are adapted: persona texts were joined with wordings of tone and scene by "
        "Persona Matrix.",
    ]
    for license, by_author in sorted(owners.items()):
        lines += ["", f"## {license}", "", *_links(license)]
        for author, texts in sorted(by_author.items()):
            lines += [f"By {author}: {', '.join(sorted(texts))}."]
    return "\n".join([*lines, ""])


def _links(license: str) -> list[str]:
    if license.startswith("LicenseRef-") or " " in license:
        return []
    return [f"https://spdx.org/licenses/{license}.html", ""]
