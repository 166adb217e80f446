// Light or dark, before the first paint: this is a plain script in the head, so that the page does not flash.
(() => {
  const key = "botswain:theme";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is switched off
    }
  };
  let chosen = stored();

  const show = () => {
    if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
    else delete root.dataset.theme;
    root.dataset.shown = chosen ?? (dark.matches ? "dark" : "light");
  };

  globalThis.toggleAppearance = () => {
    chosen = root.dataset.shown === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(key, chosen);
    } catch {
      // it lasts until the page is left
    }
    show();
  };

  dark.addEventListener("change", show);
  show();
})();
