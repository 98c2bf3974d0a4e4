// Markup in template strings. User text comes in as text nodes and attributes only, never as markup.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
