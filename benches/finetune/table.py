"""Tables of the lines that run.sh wrote: python3 benches/finetune/table.py LINES.

Accuracies are means over the seeds that are there. The interval is Wilson's at 95 % over the test rows of all seeds together: the rows
are the same for each seed, so it is too narrow where seeds differ little, and says nothing of other training sets.
"""

import json
import math
import sys
from collections import defaultdict


def wilson(share, n, z=1.96):
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def mean(values):
    return sum(values) / len(values)


runs = defaultdict(lambda: defaultdict(list))
for line in open(sys.argv[1]):
    entry = json.loads(line)
    runs[entry["result"]["dataset"]][entry["label"]].append(entry["result"])

for task, methods in runs.items():
    attacks = sorted({name for results in methods.values() for name in results[0]["attacks"]}, key=lambda n: float(n.split("@")[1]))
    some = next(iter(methods.values()))[0]
    changed = some["metrics"].get("advglue_n")
    head = ["method", "seeds", f"accuracy ({some['clean_n']} rows)", "95 %", "each seed"]
    head += [f"AdvGLUE ({changed:.0f})"] if changed else []
    head += [f"withstands {name.split('@')[1]}" for name in attacks] + ["calls / update"]
    print(f"\n### {task}\n\n| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for label, results in methods.items():
        results = sorted({result["seed"]: result for result in results}.values(), key=lambda result: result["seed"])
        accuracies = [result["clean_accuracy"] for result in results]
        low, high = wilson(mean(accuracies), sum(result["clean_n"] for result in results))
        row = [label, ", ".join(str(result["seed"]) for result in results), f"{mean(accuracies):.4f}", f"{low:.3f} to {high:.3f}"]
        row.append(", ".join(f"{accuracy:.4f}" for accuracy in accuracies))
        if changed:
            row.append(f"{mean([result['metrics']['advglue_accuracy'] for result in results]):.3f}")
        row += [f"{mean([result['attacks'][name] for result in results]):.3f}" for name in attacks]
        updates = sum(result["ledger"]["training"]["updates"] for result in results)
        row.append(f"{sum(result['ledger']['gradient_calls'] for result in results) / updates:.2f}")
        print("| " + " | ".join(row) + " |")
