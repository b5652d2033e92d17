"""One task, laid out in every way in which people lay out examples."""

from __future__ import annotations

import json

from agents.records import Pair

INSTRUCTION = "Name the capital of the country that you are given."
PAIRS = (Pair("France", "Paris"), Pair("the United States", "Washington, D.C."), Pair("Peru", "Lima"))


def fields(first: str, second: str, *, between: str = "\n\n") -> str:
    return between.join(f"{first}{pair.input}\n{second}{pair.output}" for pair in PAIRS)


LAYOUTS = {
    "input_output": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}",
    "lead": f"{INSTRUCTION}\n\nHere are some examples:\n\n{fields('Input: ', 'Output: ')}",
    "lead in the same line": f"{INSTRUCTION} Here are some examples:\n\n{fields('Input: ', 'Output: ')}",
    "no empty lines": f"{INSTRUCTION}\n{fields('input: ', 'output: ', between=chr(10))}",
    "questions": f"{INSTRUCTION}\n\n{fields('Q: ', 'A: ')}",
    "text and label": f"{INSTRUCTION}\n\n{fields('Text: ', 'Label: ')}",
    "unknown names": f"{INSTRUCTION}\n\n{fields('Land: ', 'Hauptstadt: ')}",
    "dialogue": f"{INSTRUCTION}\n\n{fields('User: ', 'Assistant: ')}",
    "chinese": f"{INSTRUCTION}\n\n{fields('输入：', '输出：')}",
    "japanese": f"{INSTRUCTION}\n\n{fields('入力: ', '出力: ')}",
    "german": f"{INSTRUCTION}\n\nBeispiele:\n{fields('Eingabe: ', 'Ausgabe: ')}",
    "french": f"{INSTRUCTION}\n\nVoici quelques exemples :\n\n{fields('Entrée : ', 'Sortie : ')}",
    "spanish": f"{INSTRUCTION}\n\n{fields('Entrada: ', 'Salida: ')}",
    "russian": f"{INSTRUCTION}\n\nПримеры:\n\n{fields('Вход: ', 'Выход: ')}",
    "bold": f"{INSTRUCTION}\n\n## Examples\n\n{fields('**Input:** ', '**Output:** ')}",
    "headings": f"# Task\n{INSTRUCTION}\n\n{fields('### Input' + chr(10), '### Output' + chr(10))}",
    "yaml": f"{INSTRUCTION}\n\nexamples:\n{fields('- input: ', '  output: ', between=chr(10))}",
    "yaml block": f"instruction: |\n  {INSTRUCTION}\n\nexamples:\n"
    + "\n".join(f"  - input: {json.dumps(pair.input)}\n    output: '{pair.output}'" for pair in PAIRS),
    "yaml folded": f"task: >-\n  {INSTRUCTION.replace(' of ', chr(10) + '  of ')}\nexamples:\n"
    + "\n".join(f"- input: {pair.input}\n  output: |\n    {pair.output}" for pair in PAIRS),
    "instruct": "Below is an instruction that describes a task, paired with an input. Write a fitting response.\n\n"
    f"### Instruction:\n{INSTRUCTION}\n\n{fields('### Input:' + chr(10), chr(10) + '### Response:' + chr(10))}",
    "instruct, open": f"### Instruction:\n{INSTRUCTION}\n\n"
    + fields("### Input:\n", "\n### Response:\n")
    + "\n\n### Input:\n{input}\n\n### Response:\n",
    "instruct, repeated": "\n\n".join(
        f"### Instruction:\n{INSTRUCTION}\n\n### Input:\n{pair.input}\n\n### Response:\n{pair.output}" for pair in PAIRS
    ),
    "equals": INSTRUCTION + "\n\n" + "\n\n".join(f'input="{pair.input}"\noutput="{pair.output}"' for pair in PAIRS),
    "curly quotes": INSTRUCTION
    + "\n\n"
    + "\n\n".join(f'input=“{pair.input}"\noutput=“{pair.output}”' for pair in PAIRS),
    "explained": INSTRUCTION
    + "\n\n"
    + "\n\n".join(f"Input: {pair.input}\nOutput: {pair.output}\nExplanation: look it up." for pair in PAIRS),
    "rules between": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ', between=chr(10) + '---' + chr(10))}",
    "one line each": INSTRUCTION + "\n\n" + "\n".join(f"Input: {pair.input} Output: {pair.output}" for pair in PAIRS),
    "arrows": INSTRUCTION + "\n\nExamples:\n" + "\n".join(f"{pair.input} -> {pair.output}" for pair in PAIRS),
    "bullets": INSTRUCTION + "\n\n" + "\n".join(f"- {pair.input} → {pair.output}" for pair in PAIRS),
    "numbers": INSTRUCTION
    + "\n\n"
    + "\n".join(f"{n}. {pair.input} => {pair.output}" for n, pair in enumerate(PAIRS, 1)),
    "numbered": "\n\n".join(f"Example {n}\n{pair.input}\n=> {pair.output}" for n, pair in enumerate(PAIRS, 1))
    + f"\n\n{INSTRUCTION}",
    "examples first": f"{fields('Input: ', 'Output: ')}\n\n{INSTRUCTION}",
    "prose": INSTRUCTION + "".join(f' For example, "{pair.input}" should give "{pair.output}".' for pair in PAIRS),
    "prose in one sentence": INSTRUCTION
    + " E.g. "
    + ", and ".join(f'"{pair.input}" => "{pair.output}"' for pair in PAIRS)
    + ".",
    "json lines": INSTRUCTION + "\n\n" + "\n".join(json.dumps({"input": p.input, "output": p.output}) for p in PAIRS),
    "json array": INSTRUCTION
    + "\n\nExamples:\n"
    + json.dumps([{"question": p.input, "answer": p.output} for p in PAIRS], indent=2),
    "one json object": json.dumps(
        {"instruction": INSTRUCTION, "examples": [{"input": p.input, "output": p.output} for p in PAIRS]}
    ),
    "messages": json.dumps(
        [{"role": "system", "content": INSTRUCTION}]
        + [
            turn
            for p in PAIRS
            for turn in ({"role": "user", "content": p.input}, {"role": "assistant", "content": p.output})
        ]
    ),
    "tags": f"<instructions>\n{INSTRUCTION}\n</instructions>\n<examples>\n"
    + "\n".join(f"<example><input>{p.input}</input><output>{p.output}</output></example>" for p in PAIRS)
    + "\n</examples>",
    "table": f"{INSTRUCTION}\n\n| Input | Output |\n| --- | --- |\n"
    + "\n".join(f"| {p.input} | {p.output} |" for p in PAIRS),
    "commas": f"{INSTRUCTION}\n\ninput,output\n" + "\n".join(f'"{p.input}","{p.output}"' for p in PAIRS),
    "tabs": f"{INSTRUCTION}\n\nExamples:\n```\ntext\tlabel\n"
    + "\n".join(f"{p.input}\t{p.output}" for p in PAIRS)
    + "\n```",
    "numbered table": f"{INSTRUCTION}\n\n| # | Text | Label |\n|---|:--|:-:|\n"
    + "\n".join(f"| {n} | {p.input} | {p.output} |" for n, p in enumerate(PAIRS, 1)),
    "announced rows": f"{INSTRUCTION}\n\nExamples:\n" + "\n".join(f"{p.input} | {p.output}" for p in PAIRS),
    "attributes": f"{INSTRUCTION}\n\n<examples>\n"
    + "\n".join(f'<example input="{p.input}" output="{p.output}"/>' for p in PAIRS)
    + "\n</examples>",
    "yaml in braces": f"{INSTRUCTION}\n\nexamples:\n"
    + "\n".join(f'  - {{input: "{p.input}", output: "{p.output}"}}' for p in PAIRS),
    "python": f"{INSTRUCTION}\n\nexamples = [\n"
    + "".join(f"    {{'input': {p.input!r}, 'output': {p.output!r}}},\n" for p in PAIRS)
    + "]",
    "tuples": f"{INSTRUCTION}\n\n" + "\n".join(repr((p.input, p.output)) for p in PAIRS),
    "transcript": f"<|im_start|>system\n{INSTRUCTION}<|im_end|>\n"
    + "".join(f"<|im_start|>user\n{p.input}<|im_end|>\n<|im_start|>assistant\n{p.output}<|im_end|>\n" for p in PAIRS),
    "transcript with headers": f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{INSTRUCTION}<|eot_id|>"
    + "".join(
        f"<|start_header_id|>user<|end_header_id|>\n\n{p.input}<|eot_id|>"
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{p.output}<|eot_id|>"
        for p in PAIRS
    ),
    "transcript in brackets": f"<s>[INST] <<SYS>>\n{INSTRUCTION}\n<</SYS>>\n\n"
    + "</s><s>[INST] ".join(f"{p.input} [/INST] {p.output} " for p in PAIRS)
    + "</s>",
    "speakers": f"System: {INSTRUCTION}\n" + fields("User: ", "Assistant: ", between="\n"),
    "chinese brackets": f"{INSTRUCTION}\n\n{fields('【输入】', '【输出】')}",
    "chinese in a line": f"{INSTRUCTION}\n\n" + "\n".join(f"输入：{p.input}，输出：{p.output}" for p in PAIRS),
    "chinese arrows": f"{INSTRUCTION}\n\n"
    + "\n".join(f"例{n}：{p.input} → {p.output}" for n, p in enumerate(PAIRS, 1)),
    "arabic": f"{INSTRUCTION}\n\n{fields(chr(0x200F) + 'المدخل: ', chr(0x200F) + 'المخرج: ')}",
    "hebrew": f"{INSTRUCTION}\n\n{fields('קלט: ', 'פלט: ')}",
    "fine-tuning rows": "\n".join(
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": INSTRUCTION},
                    {"role": "user", "content": p.input},
                    {"role": "assistant", "content": p.output},
                ]
            }
        )
        for p in PAIRS
    ),
    "instruction rows": "\n".join(
        json.dumps({"instruction": INSTRUCTION, "input": p.input, "output": p.output}) for p in PAIRS
    ),
    "closing words": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}\n\nNow, complete the following input:",
    "place for the input": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}\n\nInput: {{input}}\nOutput:",
    "windows line ends": f"\ufeff{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}".replace("\n", "\r\n"),
}
