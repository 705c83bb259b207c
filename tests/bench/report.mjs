// Numbers of several rounds into medians, spreads, ratios, means of classes, and tables of text.
import { classOf, kClasses } from "../programs/list.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const summary = (values) => ({
  median: median(values),
  least: Math.min(...values),
  most: Math.max(...values),
  values,
});

/** Ratios are taken within each round, so that a slow minute of the machine strikes both sides. */
function ratios(rows, key, ours, theirs) {
  const byRound = new Map(
    rows.filter((row) => row.peer === theirs).map((row) => [row.round, row.values[key]]),
  );
  const pairs = rows.filter((row) => row.peer === ours && byRound.get(row.round) > 0);
  return pairs.map((row) => row.values[key] / byRound.get(row.round));
}

/** rows: [{ guest, peer, round, values: { boot, NAME..., idle_share, peak_memory } }]. */
export function summarize(rows) {
  const guests = [...new Set(rows.map((row) => row.guest))];
  return guests.map((guest) => {
    const own = rows.filter((row) => row.guest === guest);
    const peers = [...new Set(own.map((row) => row.peer))].sort();
    const keys = Object.keys(own[0].values);
    const results = keys.map((key) => ({
      key,
      peers: Object.fromEntries(
        peers.map((peer) => [
          peer,
          summary(own.filter((row) => row.peer === peer).map((row) => row.values[key])),
        ]),
      ),
      ratios: Object.fromEntries(
        peers
          .filter((peer) => peer !== "lapwing")
          .map((peer) => [peer, ratios(own, key, "lapwing", peer)])
          .filter(([, values]) => values.length > 0)
          .map(([peer, values]) => [peer, summary(values)]),
      ),
    }));
    return { guest, peers, results };
  });
}

const geometricMean = (values) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** [{ guest, peer, name (of the class), mean, worst: { key, ratio } }]: of the medians of Lapwing's ratios. */
export function classes(summaries) {
  return summaries.flatMap(({ guest, peers, results }) =>
    peers.flatMap((peer) =>
      kClasses.flatMap((name) => {
        const members = results
          .filter(({ key, ratios: own }) => classOf(key) === name && own[peer])
          .map(({ key, ratios: own }) => ({ key, ratio: own[peer].median }));
        if (members.length === 0) return [];
        const worst = members.reduce((a, b) => (b.ratio > a.ratio ? b : a));
        return [{ guest, peer, name, mean: geometricMean(members.map(({ ratio }) => ratio)), worst }];
      }),
    ),
  );
}

export function classTable(found) {
  const head = ["guest", "against", "class", "mean", "worst"];
  const body = found.map(({ guest, peer, name, mean, worst }) => [
    ...[guest, `lapwing/${peer}`, name, mean.toFixed(2)],
    `${worst.ratio.toFixed(2)} (${worst.key})`,
  ]);
  return layOut([head, ...body]) + "\n";
}

function format(key, value) {
  if (key === "idle_share") return `${(value * 100).toFixed(1)} %`;
  if (key === "peak_memory") return `${(value / (1 << 20)).toFixed(0)} MiB`;
  return `${value.toFixed(2)} s`;
}

function cell(key, { median: middle, least, most }) {
  return `${format(key, middle)} (${format(key, least)}..${format(key, most)})`;
}

const ratioCell = ({ median: middle, least, most }) =>
  `${middle.toFixed(2)} (${least.toFixed(2)}..${most.toFixed(2)})`;

function layOut(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** CPU seconds of the whole process, median and (least..most), then Lapwing's share of each peer's. */
export function table(summaries) {
  const parts = summaries.map(({ guest, peers, results }) => {
    const others = peers.filter((peer) => results.some((result) => result.ratios[peer]));
    const head = [guest, ...peers, ...others.map((peer) => `lapwing/${peer}`)];
    const body = results.map((result) => [
      result.key,
      ...peers.map((peer) => cell(result.key, result.peers[peer])),
      ...others.map((peer) => (result.ratios[peer] ? ratioCell(result.ratios[peer]) : "-")),
    ]);
    return layOut([head, ...body]);
  });
  return parts.join("\n\n") + "\n";
}
