// What an HTTP server says when it does not do what was asked: the first line of its answer, fit for a message.
import { plainText } from "../base/terminal-text.ts";
import { redact } from "./redact.ts";

/** Bytes of the body that are looked at. */
const maxBytes = 4096;
const maxLength = 200;

/**
 * The status and the first line of the body: `400: pushed metrics are invalid`. The body ends with it.
 *
 * @param secrets what was sent to this server, and must not come back from it: see `secretsOfUrl`
 */
export async function refusalOf(response: Response, secrets: readonly string[]): Promise<string> {
  return describeRefusal(response.status, await readStart(response), secrets);
}

/** The same for an answer that was read. */
export function describeRefusal(status: number, text: string, secrets: readonly string[]): string {
  const line = refusalLine(text.slice(0, maxBytes), secrets);
  return line === "" ? String(status) : `${status}: ${line}`;
}

/** The first line that has words, or the title of a web page: no controls, no secret, at most 200 characters. */
export function refusalLine(text: string, secrets: readonly string[]): string {
  const words = titleOf(text) ?? text;
  // A cut must not leave a part of a secret.
  const line = redact(plainText(words), secrets)
    .split("\n")
    .map((each) => each.replace(/\s+/g, " ").trim())
    .find((each) => each !== "");
  if (line === undefined) return "";
  return line.length > maxLength ? `${line.slice(0, maxLength).toWellFormed()}…` : line;
}

/** The parts of a URL that may be secrets: user, password, the segments of its path, and what it asks. */
export function secretsOfUrl(url: string): readonly string[] {
  const parsed = URL.parse(url);
  if (parsed === null) return [];
  const { username, password, pathname, searchParams } = parsed;
  const parts = [username, password, ...pathname.split("/")].map(decoded);
  return [...parts, ...searchParams.values()].filter((part) => part !== "");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Proxies and sign-in portals answer with HTML, of which the first line says nothing. */
function titleOf(text: string): string | undefined {
  if (!/^\s*<(?:!doctype html|html|head|center)\b/i.test(text)) return undefined;
  const title = /<title[^>]*>(?<title>[^<]{1,1000})/i.exec(text)?.groups?.["title"]?.trim() ?? "";
  return title === "" ? "a web page" : `a web page, ${title}`;
}

/** As much of the body as arrived, up to the limit. It was refused all the same where the body breaks off. */
async function readStart({ body }: Response): Promise<string> {
  if (body === null) return "";
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    // Leaving the loop cancels the stream, which ends the connection.
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length >= maxBytes) break;
    }
  } catch {
    // The connection ended, or its time was over.
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxBytes));
}
