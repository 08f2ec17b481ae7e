// An exported classifier in transformers.js: texts to logits and answers, in Node and in a browser alike.

const DTYPES = { onnx: "fp32", "onnx-int8": "q8" }; // graph of lmdistill.json to the name in transformers.js
// In 8 bits the texts of a batch share a scale, and so change each other's answers.
const BATCHES = { fp32: 32, q8: 1 };

/** What is wrong with a folder or an input, in one line. */
export class InputError extends Error {}

/**
 * Load an exported classifier.
 * @param transformers The module of transformers.js; it is given because its address differs.
 * @param folder Path or address of what `lmdistill export` wrote.
 * @param manifest Its lmdistill.json.
 * @param graph `onnx` or `onnx-int8`; by default that of the manifest.
 */
export async function load(transformers, folder, manifest, graph = null) {
  const known = Object.keys(manifest.graphs ?? {}).filter((name) => name in DTYPES);
  const name = graph ?? (known.includes(manifest.default) ? manifest.default : known[0]);
  if (!known.includes(name)) {
    throw new InputError(`${folder} has no graph ${name}; there are ${known.join(", ") || "none"}.`);
  }
  // The class of any encoder: the graph says what it takes, so the family does not matter.
  const [tokenizer, model] = await Promise.all([
    transformers.AutoTokenizer.from_pretrained(folder),
    transformers.PreTrainedModel.from_pretrained(folder, { dtype: DTYPES[name] }),
  ]);
  const facts = { ...manifest.reads, ...manifest.answers };
  return new Classifier(transformers.Tensor, tokenizer, model, facts, BATCHES[DTYPES[name]]);
}

class Classifier {
  constructor(Tensor, tokenizer, model, manifest, batch) {
    Object.assign(this, { Tensor, model, manifest, batch, read: reader(tokenizer, manifest.max_length) });
  }

  /** Answers of texts, or of pairs [first, second], in their order. */
  async answers(texts) {
    return (await this.logits(texts)).map((values) => answer(values, this.manifest));
  }

  /** Logits of texts, or of pairs [first, second], in their order. */
  async logits(texts) {
    const { pairs } = this.manifest;
    if (pairs !== null && texts.some((text) => Array.isArray(text) !== pairs)) {
      throw new InputError(`The model was trained on ${pairs ? "pairs" : "single texts"}: give it these.`);
    }
    const found = [];
    for (let start = 0; start < texts.length; start += this.batch) {
      const rows = texts.slice(start, start + this.batch).map(this.read);
      const { logits } = await this.model(this.padded(rows));
      found.push(...logits.tolist());
    }
    return found;
  }

  /** The inputs of the graph, padded to the longest row. */
  padded(rows) {
    const width = Math.max(...rows.map((row) => row.ids.length));
    const filled = (lists, rest) => {
      const values = lists.flatMap((list) => [...list, ...Array(width - list.length).fill(rest)]);
      return new this.Tensor("int64", BigInt64Array.from(values, BigInt), [rows.length, width]);
    };
    const ids = rows.map((row) => row.ids);
    const inputs = {
      input_ids: filled(ids, this.manifest.padding),
      attention_mask: filled(ids.map((list) => list.map(() => 1)), 0),
      token_type_ids: filled(rows.map((row) => row.types), 0),
    };
    return Object.fromEntries(this.manifest.inputs.map((name) => [name, inputs[name]]));
  }
}

/**
 * A function from a text, or a pair [first, second], to its token ids and segments.
 * Of longer inputs the ends of the texts are cut off, as in training. The library itself would cut off the
 * special token at the end, and it takes a pair with an empty second text for a single one.
 */
export function reader(tokenizer, longest) {
  const frames = [1, 2].map((count) => frame(tokenizer, count));
  return (text) => {
    const texts = [text].flat();
    const { special, kinds } = frames[texts.length - 1];
    const parts = texts.map((one) => tokenizer.encode(one, { add_special_tokens: false }));
    const room = Math.max(0, longest - special.flat().length);
    const sizes = shortened(parts.map((part) => part.length), room);
    const row = special[0].concat(
      ...parts.map((part, number) => [
        ...part.slice(0, sizes[number]).map((id) => [id, kinds[number]]),
        ...special[number + 1],
      ]),
    );
    return { ids: row.map(([id]) => id), types: row.map(([, type]) => type) };
  };
}

/** What stands around and between one or two texts, as [id, segment], and the segment of each text. */
function frame(tokenizer, count) {
  const probe = "a";
  const inner = tokenizer.encode(probe, { add_special_tokens: false });
  const whole = tokenizer(probe, {
    text_pair: count === 2 ? probe : null,
    return_tensor: false,
    return_token_type_ids: true,
  });
  if (whole.input_ids.length === inner.length) {
    return { special: Array(count + 1).fill([]), kinds: Array(count).fill(0) };
  }
  const row = whole.input_ids.map((id, place) => [id, whole.token_type_ids?.[place] ?? 0]);
  const isAt = (place) => inner.every((id, step) => row[place + step]?.[0] === id);
  const starts = row.flatMap((_, place) => (isAt(place) ? [place] : []));
  if (inner.length === 0 || starts.length !== count) {
    throw new InputError("The special tokens of this tokenizer are of an unknown kind.");
  }
  const ends = starts.map((start) => start + inner.length);
  const special = [0, ...ends].map((from, number) => row.slice(from, starts[number] ?? row.length));
  return { special, kinds: starts.map((start) => row[start][1]) };
}

/** Lengths of one or two texts in so much room: the longer text is cut first. */
function shortened(sizes, room) {
  if (sizes.reduce((sum, size) => sum + size, 0) <= room) return sizes;
  if (sizes.length === 1) return [room];
  let short = Math.min(...sizes);
  let long = Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = room - short;
  }
  return sizes[0] > sizes[1] ? [long, short] : [short, long];
}

/** The label with its probability; all labels over their threshold; or the score. */
export function answer(values, manifest) {
  if (manifest.kind === "regression") return { score: rounded(values[0]) };
  const shares = probabilities(values, manifest);
  if (manifest.kind === "multilabel") {
    return { labels: manifest.labels.filter((_, number) => shares[number] >= threshold(manifest, number)) };
  }
  const best = shares.indexOf(Math.max(...shares));
  return { label: manifest.labels[best], probability: rounded(shares[best]) };
}

/** Probability of each label: of one class, or of each label by itself. */
export function probabilities(values, manifest) {
  if (manifest.kind === "multilabel") return values.map((value) => 1 / (1 + Math.exp(-value)));
  const largest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Probability from which on a label is given. */
export function threshold(manifest, number) {
  return manifest.thresholds?.[number] ?? 0.5;
}

function rounded(value) {
  return Math.round(value * 1e6) / 1e6;
}
