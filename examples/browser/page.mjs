// The page: it loads the classifier in model/ beside it, and answers what is typed.

import * as transformers from "./node_modules/@huggingface/transformers/dist/transformers.min.js";

import { InputError, answer, load, probabilities } from "./classifier.mjs";

const FOLDER = "model";
const RUNTIME = "./node_modules/onnxruntime-web/dist/";

const [form, first, pair, second, button, status, table] = [
  "form", "first", "pair", "second", "button", "status", "answer",
].map((id) => document.getElementById(id));

Object.assign(transformers.env, {
  allowRemoteModels: false,
  allowLocalModels: true,
  localModelPath: "./",
  // Keys of the cache are addresses: after a new export the page would go on with the old files.
  useBrowserCache: false,
  useWasmCache: false,
});
transformers.env.backends.onnx.wasm.wasmPaths = new URL(RUNTIME, import.meta.url).href;

/** The classifier beside the page; `graph` is that of lmdistill.json by default. */
export async function open(graph = null) {
  const found = await fetch(`${FOLDER}/lmdistill.json`);
  if (!found.ok) throw new InputError(`There is no ${FOLDER}/lmdistill.json. Put an exported folder there.`);
  return load(transformers, FOLDER, await found.json(), graph);
}

/** Rows of the table: name, number, share in [0, 1] or null, and whether it is the answer. */
function rows(values, manifest) {
  const found = answer(values, manifest);
  if (manifest.kind === "regression") return [["score", found.score.toFixed(3), null, true]];
  const given = found.labels ?? [found.label];
  return probabilities(values, manifest)
    .map((share, number) => [manifest.labels[number], share])
    .sort((one, other) => other[1] - one[1])
    .map(([name, share]) => [name, `${(100 * share).toFixed(1)} %`, share, given.includes(name)]);
}

/** A row of the table; names of labels are text, never markup. */
function row([name, number, share, given]) {
  const line = document.createElement("tr");
  line.classList.toggle("given", given);
  const cells = [name, number, ""].map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  });
  cells[1].className = "number";
  cells[2].className = "share";
  if (share !== null) {
    const meter = document.createElement("meter");
    meter.value = share;
    meter.title = number;
    cells[2].append(meter);
  }
  line.append(...cells);
  return line;
}

function say(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
}

async function classify(event) {
  event.preventDefault();
  button.disabled = true;
  try {
    const classifier = await loading;
    const begin = performance.now();
    const [values] = await classifier.logits([pair.hidden ? first.value : [first.value, second.value]]);
    table.tBodies[0].replaceChildren(...rows(values, classifier.manifest).map(row));
    table.hidden = false;
    say(`Answered in ${Math.round(performance.now() - begin)} ms.`);
  } catch (error) {
    say(`The text was not classified: ${error.message}`, true);
  }
  button.disabled = false;
}

form.addEventListener("submit", classify);
const loading = open();
try {
  const { manifest } = await loading;
  pair.hidden = !manifest.pairs;
  second.required = Boolean(manifest.pairs);
  button.disabled = false;
  say("Ready.");
} catch (error) {
  say(`The model was not loaded: ${error.message}`, true);
}
