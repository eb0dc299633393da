// The forms in which a secret shows up in logs. Base64 of `user:secret` needs none of its own: whatever stands before
// and behind the secret, one of its three alignments is in there.

/** Shorter texts are not secrets, and would be found everywhere. */
const shortestSecret = 6;

/**
 * Everything that must not be seen of a secret: itself, each line of it, and these as URL, JSON, shell, HTML, hex and
 * base64 have them. Without duplicates, the longest first.
 */
export function encodingsOf(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  const values = new Set([secret, secret.trim(), ...lines].filter((value) => value.length >= shortestSecret));
  const encodings = new Set(
    [...values].flatMap((value) => encodeAll(value.toWellFormed()).flatMap(withUrlForms)),
  );
  return [...encodings]
    .filter((encoding) => encoding.length >= shortestSecret)
    .toSorted((a, b) => b.length - a.length);
}

function encodeAll(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const json = JSON.stringify(value).slice(1, -1);
  const url = encodeURIComponent(value);
  const strictUrl = url.replaceAll(/[!'()*~._-]/g, percent);
  const base64 = [0, 1, 2].map((offset) => base64Core(bytes, offset));
  return [
    value,
    json,
    json.replaceAll("/", "\\/"),
    // Go's encoder, which Gitea uses.
    json.replaceAll(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`),
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    new URLSearchParams({ value }).toString().slice("value=".length),
    url.replaceAll(/[!'()*]/g, percent),
    strictUrl,
    value.replaceAll("'", "'\\''"),
    value.replaceAll(/["$`\\]/g, (character) => `\\${character}`),
    value.replaceAll(/[&<>"']/g, (character) => htmlEntities[character] ?? character),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/** Also within a URL, where what is encoded is encoded again. */
const withUrlForms = (form: string): readonly string[] => [form, encodeURIComponent(form)];

const percent = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;

const htmlEntities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};

/** The characters of the base64 of any text that has these bytes at this offset (modulo 3) which only they decide. */
function base64Core(bytes: Uint8Array, offset: number): string {
  const all = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString("base64")
    .replaceAll("=", "");
  const complete = Math.floor(((offset + bytes.byteLength) * 8) / 6);
  return all.slice(Math.ceil((offset * 8) / 6), complete);
}
