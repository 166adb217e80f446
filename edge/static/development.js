// While a bot is being written: what was wrong with the last change, at the top of the chat.

const EVERY_MS = 2_000;

/** What is wrong may wrap; the line of the script and the caret below it must not. */
function complaint(problem) {
  const [first, ...rest] = problem.split("\n");
  const what = document.createElement("p");
  what.textContent = first;
  if (!rest.length) return [what];
  const where = document.createElement("pre");
  where.tabIndex = 0;
  where.textContent = rest.join("\n");
  return [what, where];
}

/** *onLook* is told with every look whether a version of the bot is in force. */
export function watch(bot, headline, onLook = () => {}) {
  const banner = document.getElementById("problems");
  let shown = "";

  const look = async () => {
    try {
      const response = await fetch(`/dev/problems/${encodeURIComponent(bot)}`);
      if (response.ok) {
        const { problems, published } = await response.json();
        show(problems);
        onLook(published);
      }
    } catch {
      // the server is restarting: the next look tells
    }
    setTimeout(look, EVERY_MS);
  };

  const show = (problems) => {
    const text = problems.join("\n\n");
    if (text === shown) return;
    shown = text;
    banner.hidden = !text;
    const heading = document.createElement("h2");
    heading.textContent = headline;
    banner.replaceChildren(heading, ...problems.flatMap(complaint));
  };

  look();
}
