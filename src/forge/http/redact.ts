// The forge's words on their way into an error: they may repeat what we sent.
import { plainText } from "../../base/terminal-text.ts";

const maxLength = 400;

/** Takes a secret out of a text, in the forms in which a server can repeat it. */
export function withoutSecret(text: string, secret: string): string {
  if (secret === "") return text;
  const forms = [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    ...base64Forms(secret),
  ];
  return forms
    .flatMap((form) => [form, encodeURIComponent(form)])
    .reduce((redacted, form) => redacted.replaceAll(form, "…"), text);
}

/**
 * The base64 of a secret wherever it stands in what was encoded (`user:secret`): three alignments, each without the
 * characters that depend on the neighbours.
 */
function base64Forms(secret: string): readonly string[] {
  return [0, 1, 2].flatMap((shift) => {
    const padded = Buffer.from(`${"x".repeat(shift)}${secret}`);
    const start = shift === 0 ? 0 : shift + 1;
    const whole = padded.length - (padded.length % 3);
    const end = (whole / 3) * 4;
    return (["base64", "base64url"] as const)
      .map((encoding) => padded.toString(encoding).slice(start, end))
      .filter((form) => form.length >= 8);
  });
}

/** Foreign words in one line: no controls, no secret, at most 400 characters. */
export function wordsOf(text: string, secret: string): string {
  const line = plainText(withoutSecret(text, secret)).replace(/\s+/g, " ").trim();
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line;
}
