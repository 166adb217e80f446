// The page of a bot whose first version has mistakes: it lists them, and makes room for the chat when they are mended.

import { watch } from "./development.js";
import { words } from "./words.js";

watch(document.getElementById("problems").dataset.bot, words.mistakes, (published) => {
  if (published) location.reload();
});
