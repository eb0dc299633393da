import type { IncomingMessage } from "node:http";

export interface RequestBody {
  readonly json: unknown;
  readonly form: ReadonlyMap<string, boolean> | undefined;
  readonly files: ReadonlyMap<string, { readonly name: string; readonly bytes: Buffer }>;
}

/** @throws for what is no valid UTF-8, no JSON, or no form: Gitea refuses that too. */
export async function readRequestBody(request: IncomingMessage): Promise<RequestBody> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  const bytes = Buffer.concat(chunks);
  const contentType = request.headers["content-type"] ?? "";
  const files = new Map<string, { name: string; bytes: Buffer }>();
  if (bytes.byteLength === 0) return { json: undefined, form: undefined, files };
  if (contentType.startsWith("application/json")) {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return { json, form: undefined, files };
  }
  const form = await new Response(bytes, { headers: { "content-type": contentType } }).formData();
  const fields = new Map<string, boolean>();
  for (const [name, value] of form.entries()) {
    fields.set(name, typeof value !== "string");
    if (typeof value === "string") continue;
    files.set(name, { name: value.name, bytes: Buffer.from(await value.arrayBuffer()) });
  }
  return { json: undefined, form: fields, files };
}
