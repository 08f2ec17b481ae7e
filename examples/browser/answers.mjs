// Answers of an exported classifier in Node: a line of JSON for each text.
//
// node examples/browser/answers.mjs runs/exported "The soup was cold."
// node examples/browser/answers.mjs runs/exported --graph onnx < texts.txt
//
// A pair is one line: the first text, a tab, the second text.

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { InputError, load } from "./classifier.mjs";

const USAGE = "usage: node answers.mjs FOLDER [--graph onnx|onnx-int8] [TEXT ...]";

/** transformers.js, which reads nothing from a network. */
export async function library() {
  try {
    const found = await import("@huggingface/transformers");
    found.env.allowRemoteModels = false;
    return found;
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new InputError("transformers.js is missing: npm install --ignore-scripts in examples/browser.");
  }
}

/** The classifier in a folder of `lmdistill export`. */
export async function open(folder, graph = null) {
  const path = join(folder, "lmdistill.json");
  if (!existsSync(path)) throw new InputError(`${folder} holds no exported model: it has no lmdistill.json.`);
  return load(await library(), resolve(folder), JSON.parse(readFileSync(path, "utf-8")), graph);
}

/** The text or pair in a line. */
function parsed(line, { pairs }) {
  if (!pairs) return line;
  const tab = line.indexOf("\t");
  if (tab < 0) throw new InputError("The model was trained on pairs: put a tab between two texts.");
  return [line.slice(0, tab), line.slice(tab + 1)];
}

async function main(words) {
  const { values, positionals } = parseArgs({
    args: words,
    options: { graph: { type: "string" } },
    allowPositionals: true,
  });
  const [folder, ...texts] = positionals;
  if (folder === undefined) throw new InputError(USAGE);
  const classifier = await open(folder, values.graph ?? null);
  for await (const line of texts.length ? texts : createInterface({ input: process.stdin })) {
    const [answer] = await classifier.answers([parsed(line, classifier.manifest)]);
    console.log(JSON.stringify(answer));
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`error: ${error.message.split("\n")[0]}`);
    process.exitCode = 2;
  });
}
