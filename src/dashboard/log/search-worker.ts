// The thread of `searchLog`: lines against a pattern. Whoever started it ends it when it takes too long.
import { parentPort } from "node:worker_threads";
import type { SearchAnswer, SearchHit, SearchQuestion } from "./search-log.ts";
import { longestLine, plainLine } from "./sgr.ts";

let pattern = /(?!)/gu;
let isText = false;
let first = 0;
let most = 0;
let number = 0;
let count = 0;
/** The pieces of the line that continues in the next text. */
let open: string[] = [];
const hits: SearchHit[] = [];

function matched(line: string): void {
  if (count >= first && hits.length < most) hits.push({ number, line: line.slice(0, longestLine) });
  count++;
}

function look(line: string): void {
  number++;
  pattern.lastIndex = 0;
  if (pattern.test(plainLine(line))) matched(line);
}

/** The same for many lines at once, of which plain text is looked for: most of them are never looked at alone. */
function lookAtAll(lines: string): void {
  let start = 0;
  pattern.lastIndex = 0;
  for (let found = pattern.exec(lines); found !== null; found = pattern.exec(lines)) {
    const begin = lines.lastIndexOf("\n", found.index) + 1;
    const end = lines.indexOf("\n", found.index);
    number += countNewlines(lines, start, begin) + 1;
    matched(lines.slice(begin, end));
    start = end + 1;
    pattern.lastIndex = start;
  }
  number += countNewlines(lines, start, lines.length);
}

function countNewlines(text: string, from: number, to: number): number {
  let lines = 0;
  for (let at = text.indexOf("\n", from); at >= 0 && at < to; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

function take(text: string): void {
  const end = text.lastIndexOf("\n") + 1;
  if (end > 0) {
    const lines = [...open, text.slice(0, end)].join("");
    open = [];
    if (isText && !/[\u001b\u0080-\u009f\r]/.test(lines)) lookAtAll(lines);
    else for (const line of lines.slice(0, -1).split("\n")) look(line);
  }
  if (end < text.length) open.push(text.slice(end));
}

function answer(question: SearchQuestion): SearchAnswer {
  if (question.type === "start") {
    pattern = new RegExp(question.source, `${question.flags}g`);
    ({ first, most, isText } = question);
  } else if (question.type === "text") take(question.text);
  else {
    if (open.length > 0) look(open.join(""));
    return { type: "result", count, hits };
  }
  return { type: "ready" };
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.on("message", (question: SearchQuestion) => parentPort?.postMessage(answer(question)));
