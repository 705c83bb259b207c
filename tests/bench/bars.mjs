// What the project asks of generated code, compared with what was measured: one line a bar, its misses named.
import { classOf, kClasses, kDispersed } from "../programs/list.mjs";

const [kInteger, kFloat, kBulk] = kClasses;

/** Lapwing's time as a part of the peer's: of a class's geometric mean, and of each test. */
const kRatios = [
  { guest: "686", peer: "v86", mean: { [kInteger]: 0.5, [kFloat]: 0.25, [kBulk]: 1 }, each: 1.1 },
  { guest: "amd64", peer: "qemu", mean: { [kInteger]: 1.5, [kFloat]: 1, [kBulk]: 1 } },
  { guest: "amd64", peer: "qemu", each: 3, only: kInteger },
];
const kBoot = { guest: "686", peer: "v86", most: 0.5 };
const kDispersedMost = { peer: "qemu", most: 4 };
const kPeakMemory = 400 << 20;
const kIdleShare = 0.02;
const kBrowserOverNode = 1.2;

const verdict = (isMet) => (isMet ? "met   " : "MISSED");

function meanLines({ guest, peer, mean = {} }, found) {
  return Object.entries(mean).flatMap(([name, most]) => {
    const own = found.find((entry) => entry.guest === guest && entry.peer === peer && entry.name === name);
    if (!own) return [];
    return `${verdict(own.mean <= most)} ${guest}, ${name}: ${own.mean.toFixed(2)} of ${peer}'s time, asked ${most}`;
  });
}

const ratioOf = (result, peer) => result.ratios[peer]?.median;

function eachLines({ guest, peer, each, only }, summaries) {
  const results = summaries.find((summary) => summary.guest === guest)?.results ?? [];
  const tests = results.filter(({ key }) => classOf(key) && (!only || classOf(key) === only));
  const measured = tests.filter((result) => ratioOf(result, peer) !== undefined);
  if (each === undefined || measured.length === 0) return [];
  const misses = measured.filter((result) => ratioOf(result, peer) > each);
  const names = misses.map((result) => `${result.key} ${ratioOf(result, peer).toFixed(2)}`);
  const what = misses.length ? names.join(", ") : "every test";
  return [`${verdict(misses.length === 0)} ${guest}, each test at most ${each} of ${peer}'s time: ${what}`];
}

function bootLines(summaries) {
  const result = summaries
    .find(({ guest }) => guest === kBoot.guest)
    ?.results.find(({ key }) => key === "boot");
  const ratio = result && ratioOf(result, kBoot.peer);
  if (ratio === undefined) return [];
  const text = `${kBoot.guest}, boot: ${ratio.toFixed(2)} of ${kBoot.peer}'s time, asked ${kBoot.most}`;
  return [`${verdict(ratio <= kBoot.most)} ${text}`];
}

function dispersedLines({ guest, results }) {
  const { peer, most } = kDispersedMost;
  return ["cold", "warm"].flatMap((run) =>
    kDispersed.flatMap((name) => {
      const result = results.find(({ key }) => key === `${name}_${run}`);
      const ratio = result && ratioOf(result, peer);
      if (ratio === undefined) return [];
      return `${verdict(ratio <= most)} ${guest}, ${name} ${run}: ${ratio.toFixed(2)} of ${peer}'s time, asked ${most}`;
    }),
  );
}

function processLines({ guest, results }) {
  const lines = [];
  const own = (key) => results.find((result) => result.key === key)?.peers.lapwing;
  const memory = own("peak_memory");
  if (memory) {
    const mebibytes = (memory.most / (1 << 20)).toFixed(0);
    lines.push(`${verdict(memory.most <= kPeakMemory)} ${guest}, peak memory ${mebibytes} MiB, asked 400`);
  }
  const idle = own("idle_share");
  if (idle) {
    const share = (idle.median * 100).toFixed(1);
    lines.push(`${verdict(idle.median < kIdleShare)} ${guest}, idle ${share} % of a core, asked under 2`);
  }
  return lines;
}

/** Chromium's Worker against Node: the mean over all tests, and those that are beyond. */
function browserLines({ guest, results }) {
  const tests = results.filter(({ key, peers }) => classOf(key) && peers.browser && peers.lapwing);
  if (tests.length === 0) return [];
  const ratios = tests.map(({ key, ratios: own }) => [key, 1 / own.browser.median]);
  const mean = Math.exp(ratios.reduce((sum, [, ratio]) => sum + Math.log(ratio), 0) / ratios.length);
  const beyond = ratios.filter(([, ratio]) => ratio > kBrowserOverNode);
  const names = beyond.map(([key, ratio]) => `${key} ${ratio.toFixed(2)}`).join(", ");
  const text = `${guest}, Chromium's Worker: ${mean.toFixed(2)} of Node's time, asked ${kBrowserOverNode}`;
  return [`${verdict(mean <= kBrowserOverNode)} ${text}${names ? `; beyond it: ${names}` : ""}`];
}

/** Lines of text; a bar whose measurement is missing has none. */
export function barLines(summaries, found) {
  return [
    ...kRatios.flatMap((bar) => [...meanLines(bar, found), ...eachLines(bar, summaries)]),
    ...bootLines(summaries),
    ...summaries.flatMap(dispersedLines),
    ...summaries.flatMap(processLines),
    ...summaries.flatMap(browserLines),
  ];
}
