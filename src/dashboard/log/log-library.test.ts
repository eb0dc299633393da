import fc from "fast-check";
import { expect, test } from "vitest";
import { aBuildId, aChunk } from "../../../test/support/builds.ts";
import type { PlacedChunk } from "../../bus/bus.ts";
import type { PlacedOutput } from "../../bus/deploy-bus.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { orderId } from "../../../test/support/deploy-orders.ts";
import { parseLogName, type LogName } from "./log-name.ts";
import { createLogLibrary, type LogSources } from "./log-library.ts";
import { searchLog } from "./search-log.ts";

const build = aBuildId();
const log: LogName = { type: "build", build, log: 1 };
const signal = AbortSignal.timeout(120_000);

/** A stream with the chunks of one log, and others between them. */
function sourcesOf(chunks: PlacedChunk[], output: readonly PlacedOutput[] = []): LogSources {
  return {
    watcher: {
      async *readLog(_build, _log, after) {
        yield* chunks.filter(({ place }) => place > after);
      },
    },
    deploy: {
      async *outputAfter(_address, _order, after) {
        yield* output.filter(({ place }) => place > after);
      },
    },
  };
}
const placed = (texts: readonly string[], dropped: readonly number[] = []): PlacedChunk[] =>
  texts.map((text, index) => ({
    place: index * 3 + 1,
    chunk: { ...aChunk(build, 1, index, text), dropped: dropped[index] ?? 0 },
  }));

/** The text in pieces, cut anywhere. */
function pieces(text: string, cuts: readonly number[]): readonly string[] {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length];
  return places.slice(1).map((end, index) => text.slice(places[index], end));
}

test("every window has the lines that the log has there, however it was cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 4000 }),
      fc.boolean(),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.nat(4500),
      fc.integer({ min: 1, max: 1500 }),
      async (count, isOpen, cuts, from, length) => {
        const lines = Array.from({ length: count }, (_, index) => `line ${index + 1}`);
        const text = lines.map((line) => `${line}\n`).join("") + (isOpen ? "open" : "");
        const all = isOpen ? [...lines, "open"] : lines;
        const library = createLogLibrary(sourcesOf(placed(pieces(text, cuts))));
        const { lines: found, total } = await library.window(log, from, length, signal);
        expect(total).toBe(all.length);
        expect(found.flatMap((line) => (line.type === "line" ? [[line.number, line.text]] : []))).toEqual(
          all.slice(from, from + length).map((line, index) => [from + index + 1, line]),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("what comes later is found from where reading ended, and dropped lines stand where they were", async () => {
  const chunks = placed(["one\n", "two\n"], [0, 7]);
  const library = createLogLibrary(sourcesOf(chunks));
  expect((await library.window(log, 0, 10, signal)).lines).toEqual([
    { type: "line", number: 1, text: "one", length: 3 },
    { type: "dropped", before: 2, dropped: { count: 7, unit: "lines" } },
    { type: "line", number: 2, text: "two", length: 3 },
  ]);
  chunks.push({ place: 20, chunk: aChunk(build, 1, 2, "three\n") });
  expect(await library.total(log, signal)).toBe(3);
});

test.each([
  ["NEEDLE", 2],
  ["/needle$/", 1],
  ["/NEEDLE/i", 2],
  ["a.b", 1],
  ["nothing", 0],
])("a search for %s finds %i lines, also over the border of two chunks", async (query, count) => {
  const library = createLogLibrary(
    sourcesOf(placed(["first\nthe nee", "dle\nx needle y\na.b\naxb\n", "last"])),
  );
  const found = await searchLog({ query, first: 0, most: 10 }, library.pieces(log, signal), signal);
  expect(found.count).toBe(count);
  expect(found.hits).toHaveLength(count);
});

test("plain text is found in the lines in which the same pattern is, whatever else they have", async () => {
  const line = fc.array(fc.constantFrom("a", "A", "b", "\u001b[1m", "\r", " ", "ä", "ſ"), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        line.map((parts) => parts.join("")),
        { maxLength: 30 },
      ),
      fc.array(fc.nat(), { maxLength: 4 }),
      fc.constantFrom("a", "ab", "b a", "ä", "s"),
      async (lines, cuts, query) => {
        const found = async (wanted: string) =>
          searchLog(
            { query: wanted, first: 0, most: 100 },
            createLogLibrary(sourcesOf(placed(pieces(lines.join("\n"), cuts)))).pieces(log, signal),
            signal,
          );
        expect(await found(query)).toEqual(await found(`/${query}/i`));
      },
    ),
    { numRuns: 15 },
  );
});

test("a line of many chunks is cut where others are with it, and whole where it is asked for", async () => {
  const long = "x".repeat(10 * 1024 * 1024);
  const texts = Array.from({ length: 160 }, (_, index) => long.slice(index * 65_536, (index + 1) * 65_536));
  const library = createLogLibrary(sourcesOf(placed(["first\n", ...texts, "\nlast\n"])));
  const { lines, total } = await library.window(log, 0, 10, signal);
  expect(total).toBe(3);
  expect(
    lines.map((line) => (line.type === "line" ? [line.number, line.text.length, line.length] : [])),
  ).toEqual([
    [1, 5, 5],
    [2, 16_384, long.length],
    [3, 4, 4],
  ]);
  const whole = await Array.fromAsync(library.line(log, 2, signal));
  expect(whole.join("") === long).toBe(true);
  expect((await Array.fromAsync(library.line(log, 3, signal))).join("")).toBe("last");
  expect(await Array.fromAsync(library.line(log, 4, signal))).toEqual([]);
});

test.each([
  ["configure: checking for error_at_line... no\nok\n", undefined],
  ["0 errors, 0 failures\ngcc -Werror -c a.c\n", undefined],
  ["one\n\u001b[1;31merror:\u001b[0m it broke\nerror: again\n", 2],
  ["one\ntwo\na.rs:1:2: error[E0425]: cannot find value\n", 3],
  ["make: *** [Makefile:580: build] Error 2\n", 1],
  ["ok\n--- FAIL: TestServer (0.00s)\n", 2],
  ["thread 'main' panicked at src/main.rs:4:5\n", 1],
])("the first failure of %j is in line %j", async (text, line) => {
  const library = createLogLibrary(sourcesOf(placed(pieces(text, []))));
  expect(await library.firstFailure(log, signal)).toBe(line);
});

test("what an activation printed has lines as a log has, and bytes that were left out", async () => {
  const order = orderId(1);
  const name: LogName = {
    type: "deployment",
    repo: parseRepoName("nixos-servers"),
    host: parseHostName("web01"),
    order,
  };
  const library = createLogLibrary(
    sourcesOf(
      [],
      [
        { place: 4, chunk: { order, index: 0, text: "stopping units\nerror: it", end: 24 } },
        { place: 9, chunk: { order, index: 1, text: " broke\n", end: 31 } },
        { place: 11, chunk: { order, index: 2, text: "", end: 5031, dropped: 5000 } },
      ],
    ),
  );
  expect(await library.head(name, signal)).toBeUndefined();
  expect(await library.firstFailure(name, signal)).toBe(2);
  expect((await library.window(name, 0, 10, signal)).lines).toEqual([
    { type: "line", number: 1, text: "stopping units", length: 14 },
    { type: "line", number: 2, text: "error: it broke", length: 15 },
    { type: "dropped", before: 3, dropped: { count: 5000, unit: "bytes" } },
  ]);
});

test("failures are found also in a log that was read before without looking for them", async () => {
  const library = createLogLibrary(sourcesOf(placed(["one\nerror: two\n"])));
  expect(await library.total(log, signal)).toBe(2);
  expect(await library.firstFailure(log, signal)).toBe(2);
});

test("logs have addresses, and what cannot be a name has none", () => {
  const nameOf = (path: string) => parseLogName(path.split("/").slice(1));
  expect(nameOf(`/builds/${build}/logs/1`)).toEqual(log);
  expect(nameOf(`/deployments/nixos-servers/web01/${orderId(1)}/log`)).toEqual({
    type: "deployment",
    repo: "nixos-servers",
    host: "web01",
    order: orderId(1),
  });
  for (const path of [
    "/builds/x/logs/1",
    `/builds/${build}/logs/-1`,
    `/builds/${build}/logs/1/2`,
    `/deployments/nixos-servers/web01/${orderId(1)}`,
    "/deployments/nixos-servers/web01/*/log",
    `/deployments/nixos-servers/>/${orderId(1)}/log`,
  ]) {
    expect(nameOf(path)).toBeUndefined();
  }
});

test("the first failure is counted over chunks, also where a line continues", async () => {
  const library = createLogLibrary(sourcesOf(placed(["one\ntw", "o error: here\n", "error: later\n"])));
  expect(await library.firstFailure(log, signal)).toBe(2);
});
