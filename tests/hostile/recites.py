"""The golden answers of every criterion, recited by the id of the case, or with the faults that are named ("crash+box_twice"); spoiled
in the cases that are named after them (all, if none is). Gradients follow a fault where a term has outputs of its own."""

import json
import os
import pathlib
import sys
import time

from honest import say, serve

faults, where = set(" ".join(sys.argv[1:2]).split("+")), sys.argv[2:]
FOLDER = pathlib.Path(__file__).parents[2] / "conformance" / "refloss_conformance" / "criteria"
START = {"name": "recites", "version": "1", "language": "Python", "functions": sorted(path.stem for path in FOLDER.glob("*.json"))}
known = {}


def golden(function):
    if function not in known:
        file = json.loads((FOLDER / f"{function}.json").read_text("utf-8"))
        known[function] = (
            file,
            {f"{scene['id']}/{answer['setting']}": answer for scene in file["scenes"] for answer in scene.get("answers", ())},
        )
    return known[function]


def floats(nested, times=1.0):
    return [floats(one, times) for one in nested] if isinstance(nested, list) else times * float(nested)


def answer(message):
    file, answers = golden(message["function"])
    found = answers[message["cases"][0]]
    if "paper_only" in faults and message["parameters"]["dialect"] != "paper":
        return {"skipped": True, "reason": "the paper's rules only", "link": "https://example.org/paper"}
    if "raises_on_empty" in faults and [] in message["inputs"]["gt_labels"]:
        return {"errored": True, "message": "max() of nothing"}
    times = dict.fromkeys(found["terms"], 1.0)
    if "box_twice" in faults:
        times["box"] = 2.0
    if "by_images" in faults:  # where the setting divides by the positives of the batch
        times = dict.fromkeys(times, max(1, sum(found["positives"])) / len(found["positives"]))
    if "nan_when_empty" in faults and not any(found["positives"]):
        times = dict.fromkeys(times, float("nan"))
    of = {output: name for name, term in file["terms"].items() for output in term["outputs"]}
    terms = {name: times[name] * float(value) for name, value in found["terms"].items()}
    gradient = {output: floats(values, times[of[output]]) for output, values in found["gradient"].items()}
    if "paper_uphill" in faults and message["parameters"]["dialect"] == "paper":
        gradient = {output: floats(values, -1.0) for output, values in found["gradient"].items()}
    of_values = {"total": sum(terms.values())} if "total" in faults else {"terms": terms}
    return of_values if "values" in faults else {**of_values, "gradient": gradient}


def plain(x):
    if isinstance(x, dict):
        return {name: plain(one) for name, one in x.items()}
    return [plain(one) for one in x] if isinstance(x, list) else "nan" if x != x else x


def spoiled(found):
    terms, gradient = found["terms"], found["gradient"]
    term, output = next(iter(terms)), next(iter(gradient))
    spoils = {
        "no_term": {**found, "terms": {name: value for name, value in terms.items() if name != term}},
        "other_term": {**found, "terms": {**terms, "bbox": 0.0}}, "terms_list": {**found, "terms": list(terms.values())},
        "term_null": {**found, "terms": {**terms, term: None}}, "term_text": {**found, "terms": {**terms, term: "1.5"}},
        "term_true": {**found, "terms": {**terms, term: True}}, "term_list": {**found, "terms": {**terms, term: [1.0]}},
        "total_list": {"total": [1.0], "gradient": gradient}, "total_null": {"total": None, "gradient": gradient},
        "both": {**found, "total": 0.0}, "neither": {"gradient": gradient}, "empty": {}, "list": [found],
        "more": {**found, "value": 1.0}, "no_gradient": {"terms": terms},
        "no_output": {**found, "gradient": {name: value for name, value in gradient.items() if name != output}},
        "other_output": {**found, "gradient": {**gradient, "logits": []}}, "gradient_list": {**found, "gradient": gradient[output]},
        "short": {**found, "gradient": {**gradient, output: gradient[output][1:]}},
        "deep": {**found, "gradient": {**gradient, output: [gradient[output]]}},
        "ragged": {**found, "gradient": {**gradient, output: [gradient[output][0][:-1], *gradient[output][1:]]}},
        "flat": {**found, "gradient": {**gradient, output: flat(gradient[output])}},
        "scalar": {**found, "gradient": {**gradient, output: 0.0}},
        "null": {**found, "gradient": {**gradient, output: replaced(gradient[output], None)}},
        "text": {**found, "gradient": {**gradient, output: replaced(gradient[output], "x")}},
        "errored": {"errored": True, "message": "out of memory"}, "skipped": {"skipped": True, "reason": "no such head"},
        "nan": {**found, "terms": {**terms, term: "nan"}}, "huge": {**found, "terms": {**terms, term: 10**400}},
    }  # fmt: skip
    return next((spoils[one] for one in faults if one in spoils), found)


def flat(nested):
    return [x for one in nested for x in flat(one)] if isinstance(nested, list) else [nested]


def replaced(nested, by):
    return [replaced(one, by) for one in nested] if isinstance(nested, list) else by


def run(message):
    here = not where or set(where) & set(message["cases"])
    if here and "hang" in faults:
        time.sleep(3600)
    if here and {"crash", "exit"} & faults:
        print("terminate called after throwing: vector::at", file=sys.stderr, flush=True)
        (os.abort if "crash" in faults else lambda: os._exit(0))()
    if here and "garbage" in faults:
        return print("loss =", message["cases"][0], flush=True)
    if here and "seq" in faults:
        return say({"seq": message["seq"] - 1}, results=[{}])
    found = plain(answer(message))
    found = spoiled(found) if here and {"terms", "gradient"} <= found.keys() else found
    return say(message, results=[found, found] if here and "twice" in faults else [found])


serve(
    run,
    start=lambda message: say(message, **{**START, **(json.loads(where[0]) if "start" in faults else {})}),
    stop=lambda: sys.exit(3 if "bad_end" in faults else 0),
)
