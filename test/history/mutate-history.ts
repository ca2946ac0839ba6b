import type { Mutation } from "./mutation.ts";
import { ordering } from "./mutations-of-order.ts";
import { dropping, repeating } from "./mutations-of-presence.ts";
import { forging } from "./mutations-of-truth.ts";

/** Every way to break a history that the checker must see. */
export const mutations: readonly Mutation[] = [...dropping, ...repeating, ...ordering, ...forging];
