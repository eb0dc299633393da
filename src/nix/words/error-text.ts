// What is kept of an error: a line for people, and its details.

const maxMessageLength = 300;
const maxDetailsBytes = 8 * 1024;

/** At most 300 characters. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > maxMessageLength ? `${line.slice(0, maxMessageLength - 1).toWellFormed()}…` : line;
}

/** Both ends of a long text: Nix 2.8 has the error before its trace, newer ones behind it. At most 8 KiB. */
export function boundedDetails(text: string): string {
  const bytes = Buffer.from(text.trim());
  if (bytes.byteLength <= maxDetailsBytes) return bytes.toString();
  const mark = "\n[…]\n";
  const half = Math.floor((maxDetailsBytes - Buffer.byteLength(mark)) / 2) - 6;
  const replacement = /^\ufffd+|\ufffd+$/g;
  const head = bytes.subarray(0, half).toString().replaceAll(replacement, "");
  const tail = bytes.subarray(-half).toString().replaceAll(replacement, "");
  return head + mark + tail;
}

/**
 * An error of Nix about a download, without the page for browsers that the server sent. Of a tarball, since 2.20, the error is
 * within one of the program that unpacks it.
 */
export const withoutPage = (text: string): string =>
  text
    .replace(/^Failed to open archive \(Source threw exception: error: ([\s\S]*)\)$/, "$1")
    .replace(/\s*response body:\s[\s\S]*$/, "");
