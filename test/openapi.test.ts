// The validator behind the forge's test server: one that finds nothing would make every test of it green.
import { expect, test } from "vitest";
import { type CheckedRequest, createContract } from "./support/forge-server/openapi.ts";

const contract = createContract({
  swagger: "2.0",
  basePath: "/api/v1",
  paths: {
    "/pets/{id}": {
      get: {
        parameters: [
          { name: "id", in: "path", required: true, type: "integer" },
          { name: "state", in: "query", type: "string", enum: ["open", "closed"] },
        ],
        responses: { "200": { $ref: "#/responses/Pet" }, "204": { description: "nothing" } },
      },
      post: {
        parameters: [
          { name: "id", in: "path", required: true, type: "integer" },
          { name: "body", in: "body", schema: { $ref: "#/definitions/Pet" } },
        ],
        responses: { "201": { $ref: "#/responses/Pet" } },
      },
    },
    "/pets/{id}/photo": {
      post: {
        parameters: [
          { name: "id", in: "path", required: true, type: "integer" },
          { name: "photo", in: "formData", required: true, type: "file" },
        ],
        responses: { "201": { description: "done" } },
      },
    },
    "/pets/{base}/{head}": {
      get: {
        parameters: [
          { name: "base", in: "path", required: true, type: "string" },
          { name: "head", in: "path", required: true, type: "string" },
        ],
        responses: { "200": { $ref: "#/responses/Pet" } },
      },
    },
  },
  responses: { Pet: { schema: { $ref: "#/definitions/Pet" } } },
  definitions: {
    Pet: {
      type: "object",
      required: ["name"],
      properties: {
        name: { type: "string" },
        born: { type: "string", format: "date-time" },
        legs: { type: "integer" },
        tame: { type: "boolean" },
        friends: { type: "array", items: { $ref: "#/definitions/Pet" } },
        marks: { type: "object", additionalProperties: { type: "string" } },
      },
    },
  },
});

const asked = (method: string, path: string, more: Partial<CheckedRequest> = {}): CheckedRequest => {
  return { method, path, query: new URLSearchParams(), json: undefined, form: undefined, ...more };
};
const pet = {
  name: "cat",
  born: "2026-11-23T12:00:00Z",
  legs: 4,
  tame: false,
  friends: [{ name: "dog" }],
  marks: { a: "b" },
};

test("what the document says passes", () => {
  expect(contract.request(asked("GET", "/pets/1", { query: new URLSearchParams("state=open") }))).toEqual([]);
  expect(contract.request(asked("POST", "/pets/1", { json: pet }))).toEqual([]);
  expect(contract.request(asked("POST", "/pets/1/photo", { form: new Map([["photo", true]]) }))).toEqual([]);
  expect(contract.request(asked("GET", "/pets/main/flake-update/2026"))).toEqual([]);
  expect(contract.response(asked("GET", "/pets/1"), 200, { ...pet, friends: null })).toEqual([]);
  expect(contract.response(asked("GET", "/pets/1"), 204, undefined)).toEqual([]);
  expect(contract.response(asked("GET", "/pets/1"), 502, undefined)).toEqual([]);
});

test.for<[string, CheckedRequest]>([
  ["PUT /pets/1 is not in the document", asked("PUT", "/pets/1")],
  ["id is no integer", asked("GET", "/pets/one")],
  ["there is no query parameter head", asked("GET", "/pets/1", { query: new URLSearchParams("head=x") })],
  ["state cannot be all", asked("GET", "/pets/1", { query: new URLSearchParams("state=all") })],
  ["it takes no body", asked("GET", "/pets/1", { json: {} })],
  ["it has no body", asked("POST", "/pets/1")],
  ["body.name is missing", asked("POST", "/pets/1", { json: {} })],
  ["body.tail is not in the document", asked("POST", "/pets/1", { json: { ...pet, tail: 1 } })],
  ["body.name is no string", asked("POST", "/pets/1", { json: { name: 7 } })],
  ["body.legs is no integer", asked("POST", "/pets/1", { json: { ...pet, legs: 1.5 } })],
  ["body.tame is no boolean", asked("POST", "/pets/1", { json: { ...pet, tame: "yes" } })],
  ["body.born is no time", asked("POST", "/pets/1", { json: { ...pet, born: "long ago" } })],
  ["body.friends is no array", asked("POST", "/pets/1", { json: { ...pet, friends: {} } })],
  ["body.friends.0.name is missing", asked("POST", "/pets/1", { json: { ...pet, friends: [{}] } })],
  ["body.marks.a is no string", asked("POST", "/pets/1", { json: { ...pet, marks: { a: 1 } } })],
  ["body is no object", asked("POST", "/pets/1", { json: [] })],
  ["the form field photo is missing", asked("POST", "/pets/1/photo")],
  ["the form field photo is no file", asked("POST", "/pets/1/photo", { form: new Map([["photo", false]]) })],
  [
    "there is no form field video",
    asked("POST", "/pets/1/photo", {
      form: new Map([
        ["photo", true],
        ["video", true],
      ]),
    }),
  ],
])("%s", ([problem, request]) => {
  expect(contract.request(request).join("\n")).toContain(problem);
});

test("answers are held to it too", () => {
  expect(contract.response(asked("GET", "/pets/1"), 200, {})).toEqual([
    "GET /pets/1 answered 200.name is missing",
  ]);
  expect(contract.response(asked("GET", "/pets/1"), 201, pet)).toEqual([
    "GET /pets/1 answered 201, which is not declared",
  ]);
  expect(contract.response(asked("GET", "/pets/1"), 204, pet)).toEqual([
    "GET /pets/1 answered 204 with a body, which is not declared",
  ]);
});
