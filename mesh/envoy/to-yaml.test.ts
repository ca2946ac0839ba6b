import { expect, test } from "vitest";
import { noted, toYaml } from "./to-yaml.ts";

test("maps, lists and comments are written for people; what YAML would misread is quoted", () => {
  const value = {
    plain: "a/b.c",
    quoted: ["1s", "true", "a: b", "", "*", "@x"],
    left: undefined,
    none: {},
    empty: [],
    about: noted("why", 3),
    list: [noted("first", { a: 1, b: { c: 2, d: [1, 2] } }), { e: noted("inside", true) }],
    "with space": { deep: { deeper: { x: 1, y: "z" } } },
  };
  expect(toYaml(value)).toBe(`plain: a/b.c
quoted: ["1s", "true", "a: b", "", "*", "@x"]
none: {}
empty: []
# why
about: 3
list:
  # first
  - a: 1
    b:
      c: 2
      d: [1, 2]
  # inside
  - e: true
"with space":
  deep:
    deeper: { x: 1, "y": z }
`);
});
