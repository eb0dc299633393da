import fc from "fast-check";
import { expect, test } from "vitest";
import { createRedactor, redact } from "./redact.ts";
import { encodingsOf } from "./secret-encodings.ts";
import { longestShape } from "./secret-shapes.ts";

const inPieces = (text: string, cuts: readonly number[], secrets: readonly string[]): string => {
  const redactor = createRedactor(secrets);
  let given = "";
  let at = 0;
  for (const cut of cuts) {
    given += redactor.write(text.slice(at, at + cut));
    at += cut;
  }
  return given + redactor.write(text.slice(at)) + redactor.end();
};

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const pem = (kind: string): string =>
  `-----BEGIN ${kind}-----\n${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n".repeat(20)}-----END ${kind}-----`;
const hex40 = "0123456789abcdef0123456789abcdef01234567";

test.each([
  ["https://user:hunter2@example.com/x", "https://[redacted]@example.com/x"],
  ["fetch http://abcdef@host now", "fetch http://[redacted]@host now"],
  ["ssh://git:pass@host/x", "ssh://[redacted]@host/x"],
  ["Authorization: token abcdef", "Authorization: token [redacted]"],
  ['{"authorization": "Bearer a.b-c"}', '{"authorization": "Bearer [redacted]"}'],
  ["PRIVATE-TOKEN: abc", "PRIVATE-TOKEN: [redacted]"],
  ["access-tokens = github.com=abc gitlab.com=PAT:x\nnext", "access-tokens = [redacted]\nnext"],
  ["extra-access-tokens=github.com=abc", "extra-access-tokens=[redacted]"],
  ["--option access-tokens github.com=abc next", "--option access-tokens github.com=[redacted] next"],
  ["GET /x?token=abc&page=2", "GET /x?token=[redacted]&page=2"],
  [`x ghp_${"a1".repeat(18)} y`, "x [redacted] y"],
  [`github_pat_${"a1".repeat(30)}`, "[redacted]"],
  ["glpat-abcdefghij0123456789", "[redacted]"],
  [`AGE-SECRET-KEY-1${"Q".repeat(58)}`, "[redacted]"],
  [`nkey SUAB${"A".repeat(54)}.`, "nkey [redacted]."],
  [`cache.example-1:${"a".repeat(86)}==`, "cache.example-1:[redacted]"],
  ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmno", "[redacted]"],
  [`GITEA_TOKEN=${hex40}`, "GITEA_TOKEN=[redacted]"],
  [`the token is "${hex40}"`, 'the token is "[redacted]"'],
  [`${hex40} (token)`, "[redacted] (token)"],
  [`a\n${pem("OPENSSH PRIVATE KEY")}\nb`, "a\n[redacted]\nb"],
  [`a ${JSON.stringify(pem("RSA PRIVATE KEY"))} b`, 'a "[redacted]" b'],
  [pem("PGP PRIVATE KEY BLOCK"), "[redacted]"],
  ["-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n", "[redacted]"],
  [pem("PRIVATE KEY").replaceAll("\n", "\nhost> "), "[redacted]"],
])("takes the secret out of %j", (text, expected) => {
  expect(redact(text, [])).toBe(expected);
});

test.each([
  `building /nix/store/${"a".repeat(32)}-openssl-3.0.14`,
  `commit ${hex40}`,
  "https://example.com/a@b ssh://git@host/x git@host:x",
  "error: unexpected token ';' at 12:40",
  "access-tokens is a setting of nix.conf",
  "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
  "Authorization required",
])("leaves %j as it is", (text) => {
  expect(redact(text, ["hunter2-hunter2"])).toBe(text);
});

test("finds a secret however it is written", () => {
  const secret = "pa$$ w/rd<&>'\"é";
  const written = [
    secret,
    JSON.stringify({ secret }),
    encodeURIComponent(secret),
    new URLSearchParams({ secret }).toString(),
    base64(secret),
    base64(`user:${secret}`),
    base64(`me:${secret}\n`),
    base64(`bot:${secret}`),
    Buffer.from(`user:${secret}`).toString("base64url"),
    Buffer.from(secret).toString("hex"),
  ];
  const texts = written.map((text) => redact(`a ${text} b`, [secret]));
  for (const text of texts) expect(text).toContain("[redacted]");
  const forms = new Set([secret, secret.slice(2), ...encodingsOf(secret)]);
  for (const form of forms) expect(texts.join("\n")).not.toContain(form);
});

test("finds each line of a secret that has several, also when something stands before them", () => {
  const secret = "first line of it\nsecond line of it\n";
  expect(redact(`host> first line of it\nhost> second line of it\n`, [secret])).toBe(
    "host> [redacted]\nhost> [redacted]\n",
  );
});

test("counts what it took out", () => {
  const redactor = createRedactor(["secret-secret"]);
  redactor.write("secret-secret and Authorization: secret-secret and ghp_aaaaaaaaaaaaaaaaaaaaaaaa");
  redactor.end();
  expect(redactor.redactions).toBe(3);
});

const piece = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom(
    "https://",
    "@",
    ":",
    "Authorization: ",
    "token ",
    hex40,
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----",
    "access-tokens = ",
    "ghp_abcdefghijklmnopqrstuvwxyz",
    "hunter2-hunter2",
    "hunter2-",
    base64("user:hunter2-hunter2"),
    "\n",
    "x".repeat(9_000),
    "MIIE".repeat(5_000),
  ),
);
const texts = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(""));
const cuts = fc.array(fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 30_000 })), { maxLength: 30 });

test("gives the same however the text is cut", () => {
  fc.assert(
    fc.property(texts, cuts, (text, lengths) => {
      const secrets = ["hunter2-hunter2"];
      expect(inPieces(text, lengths, secrets)).toBe(redact(text, secrets));
    }),
    { numRuns: 200 },
  );
});

test("remembers what stood before a secret that the next piece brings", () => {
  const before = `${" ".repeat(longestShape - 15)}Authorization: `;
  const text = `${before}abcdef${" ".repeat(2 * longestShape)}`;
  // With the first piece everything up to the secret is decided, and the secret itself not.
  expect(inPieces(text, [2 * longestShape], [])).toBe(redact(text, []));
  expect(redact(text, [])).toContain("Authorization: [redacted]");
});

test("no secret and no form of it is left, whatever stands around it", () => {
  const secret = fc
    .string({ minLength: 6, maxLength: 40, unit: "grapheme" })
    .filter((text) => text.trim().length >= 6);
  const form = fc.nat();
  fc.assert(
    fc.property(secret, form, texts, texts, cuts, (value, number, before, after, lengths) => {
      const encodings = encodingsOf(value);
      fc.pre(!encodings.some((encoding) => "[redacted]".includes(encoding)));
      const shown = encodings[number % encodings.length] ?? value;
      const output = inPieces(`${before}${shown}${after}`, lengths, [value]);
      expect(encodings.filter((encoding) => output.includes(encoding))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("holds back little of a text that never ends", () => {
  const redactor = createRedactor(["hunter2-hunter2"]);
  const chunk = "building '/nix/store/x' on https://host: ".repeat(50);
  let held = 0;
  let most = 0;
  for (let index = 0; index < 500; index++) {
    held += chunk.length - redactor.write(chunk).length;
    most = Math.max(most, held);
  }
  expect(most).toBeLessThan(100_000);
  expect(redactor.end()).toHaveLength(held);
});

test("takes linear time for a text that looks like secrets all the way", () => {
  const hostile = "-----BEGIN PRIVATE KEY----- https://aaaa: Authorization: access-tokens token ".repeat(
    13_000,
  );
  expect(redact(hostile, ["hunter2-hunter2"])).toContain("[redacted]");
});

test("a character is never cut in two", () => {
  const redactor = createRedactor([]);
  const pieces = ["👍".repeat(20_001), "x", "👍".repeat(30_000)].map((text) => redactor.write(text));
  for (const text of [...pieces, redactor.end()]) expect(text.isWellFormed()).toBe(true);
});
