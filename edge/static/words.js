// What the page says by itself, in the reader's language.

const english = {
  online: "Online",
  connecting: "Connecting…",
  waiting: (seconds) => `No connection. Retry in ${seconds} s`,
  offline: "No connection",
  closed: "Disconnected",
  newConversation: "New conversation",
  leave: "Start a new conversation? You cannot come back to this one.",
  stay: "Stay here",
  startOver: "Start over",
  appearance: "Light or dark",
  placeholder: "Write a message…",
  message: "Your message",
  send: "Send",
  newest: "↓ New messages",
  earlier: "Earlier messages",
  conversation: "Conversation",
  suggestions: "Suggested answers",
  you: "You said:",
  bot: (name) => `${name} said:`,
  human: "Team member",
  humanSaid: "A team member said:",
  typing: (name) => `${name} is writing`,
  sending: "Sending…",
  kept: "Will be sent when the connection is back",
  today: "Today",
  yesterday: "Yesterday",
  sources: "Sources",
  tooLong: (limit) => `A message can have at most ${limit.toLocaleString(locale)} characters.`,
  slowDown: "That was a lot at once. Your messages will be sent in a moment.",
  unavailable: "The service is busy at the moment. Your messages are kept and will be sent.",
  replaced: "The earlier conversation is over. This is a new one.",
  notFound: "This bot is not here any more.",
  refused: "The server ended this connection. Reload the page to go on.",
  problems: "The last change to this bot was not published:",
  mistakes: "What is wrong:",
};

const portuguese = {
  online: "Conectado",
  connecting: "Conectando…",
  waiting: (seconds) => `Sem conexão. De novo em ${seconds} s`,
  offline: "Sem conexão",
  closed: "Desconectado",
  newConversation: "Nova conversa",
  leave: "Começar uma nova conversa? Não será possível voltar a esta.",
  stay: "Ficar aqui",
  startOver: "Começar de novo",
  appearance: "Claro ou escuro",
  placeholder: "Escreva uma mensagem…",
  message: "Sua mensagem",
  send: "Enviar",
  newest: "↓ Novas mensagens",
  earlier: "Mensagens anteriores",
  conversation: "Conversa",
  suggestions: "Respostas sugeridas",
  you: "Você disse:",
  bot: (name) => `${name} disse:`,
  human: "Atendente",
  humanSaid: "Um atendente disse:",
  typing: (name) => `${name} está escrevendo`,
  sending: "Enviando…",
  kept: "Será enviada quando a conexão voltar",
  today: "Hoje",
  yesterday: "Ontem",
  sources: "Fontes",
  tooLong: (limit) => `Uma mensagem pode ter no máximo ${limit.toLocaleString(locale)} caracteres.`,
  slowDown: "Foram muitas mensagens de uma vez. Elas serão enviadas em instantes.",
  unavailable: "O serviço está ocupado no momento. Suas mensagens estão guardadas e serão enviadas.",
  replaced: "A conversa anterior terminou. Esta é uma nova.",
  notFound: "Este bot não está mais aqui.",
  refused: "O servidor encerrou a conexão. Recarregue a página para continuar.",
  problems: "A última alteração deste bot não foi publicada:",
  mistakes: "O que está errado:",
};

export const language = (navigator.languages ?? [navigator.language])
  .map((tag) => tag.toLowerCase().split("-")[0])
  .find((tag) => tag === "en" || tag === "pt") ?? "en";

export const words = language === "pt" ? portuguese : english;

// Dates follow the browser's own region where its language is the page's.
const locale = navigator.language.toLowerCase().startsWith(language) ? navigator.language : language;
const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });

export const timeOf = (at) => time.format(at);

export function dayOf(at) {
  const day = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  const days = Math.round((day(new Date()) - day(at)) / 86_400_000);
  if (days === 0) return words.today;
  if (days === 1) return words.yesterday;
  return date.format(at);
}
