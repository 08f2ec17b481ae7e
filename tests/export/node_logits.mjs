// What transformers.js computes of exported folders, for tests: a list of tasks in, a list of answers out.
//
// node node_logits.mjs EXAMPLES < tasks.json

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const examples = pathToFileURL(`${process.argv[2]}/`);
const { open, library } = await import(new URL("answers.mjs", examples));
const { reader } = await import(new URL("classifier.mjs", examples));

const TASKS = {
  /** Logits of texts in batches, or one by one. */
  async logits({ folder, graph, texts, singly = false }) {
    const classifier = await open(folder, graph);
    if (!singly) return classifier.logits(texts);
    const found = [];
    for (const text of texts) found.push(...(await classifier.logits([text])));
    return found;
  },

  /** Labels and probabilities by the library's own pipeline. */
  async pipeline({ folder, texts }) {
    const { pipeline } = await library();
    const classify = await pipeline("text-classification", folder, { dtype: "fp32" });
    return classify(texts, { top_k: null });
  },

  /** Token ids of texts and pairs. */
  async tokens({ folder, texts, longest }) {
    const { AutoTokenizer } = await library();
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    return texts.map(reader(tokenizer, longest));
  },
};

const found = [];
for (const task of JSON.parse(readFileSync(0, "utf-8"))) found.push(await TASKS[task.do](task));
console.log(JSON.stringify(found));
