from pathlib import Path

from tests.importers.files import answers, as_lines, reasons, samples, spoken_in

# In the shapes in which dialogues are collected: with a foreign domain, of the user alone, with a system prompt.
REAL = (
    {"id": "taskmaster4-00000", "lang": "en", "domain": "Coffee", "source": "Taskmaster TM-4", "license": "CC-BY-4.0",
     "turns": [{"role": "user", "text": "one Chai Latte please"}, {"role": "assistant", "text": "is that correct?"}]},
    {"id": "multidogo-00000", "lang": "en", "domain": "airline", "license": "CDLA-Permissive-1.0",
     "turns": [{"role": "user", "text": "hi", "intent": "opening"}, {"role": "user", "text": "i want to fly"}]},
    {"id": "emollm-00000", "lang": "zh", "system": "你是专家", "turns": [{"role": "user", "text": "我最近很焦虑。"}]},
)  # fmt: skip


def test_dialogues_as_they_are_collected_become_samples(tmp_path: Path) -> None:
    found = answers("turns-jsonl", tmp_path, as_lines(*REAL), file="calls.jsonl")
    assert reasons(found) == []
    assert [(s.id, s.lang, s.domain, s.provenance.license, s.provenance.source) for s in samples(found)] == [
        ("taskmaster4-00000", "en", None, "CC-BY-4.0", "Taskmaster TM-4"),
        ("multidogo-00000", "en", None, "CDLA-Permissive-1.0", "calls.jsonl"),
        ("emollm-00000", "zh", None, "CC0-1.0", "calls.jsonl"),
    ]
    assert [spoken_in(sample) for sample in samples(found)] == [
        [("user", "one Chai Latte please"), ("persona", "is that correct?")],
        [("user", "hi"), ("user", "i want to fly")],
        [("user", "我最近很焦虑。")],
    ]


def test_an_array_is_one_line_that_is_no_record(tmp_path: Path) -> None:
    assert reasons(answers("turns-jsonl", tmp_path, as_lines(list(REAL)))) == [(1, "not_an_object")]
