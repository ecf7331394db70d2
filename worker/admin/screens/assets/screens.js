// The little that the pages can't do by themselves. Without it everything works too, with whole pages instead of dialogs.
"use strict";

const dialog = document.getElementById("dialog");
const announcement = document.getElementById("announcement");

// What the last action came to is read out, and the reader goes on from there.
document.getElementById("notice")?.focus();

// A form or link marked `data-dialog` opens in a dialog what it would open as a page: the page's main part.
async function openDialog(address, asker) {
  const busy = document.createElement("p");
  busy.id = "dialog-title";
  busy.textContent = asker.dataset.busy;
  dialog.replaceChildren(busy);
  dialog.showModal();
  const response = await fetch(address, { headers: { "X-Dialog": "1" } }).catch(() => null);
  if (!dialog.open) return;
  if (!response?.ok || response.redirected) { location.assign(address); return; }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const title = page.querySelector("main h1");
  title.id = "dialog-title";
  title.tabIndex = -1;
  dialog.replaceChildren(...page.querySelector("main").childNodes);
  dialog.querySelector("[autofocus], h1")?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-dialog]")) return;
  event.preventDefault();
  const query = new URLSearchParams(new FormData(form, event.submitter));
  openDialog(`${form.getAttribute("action")}?${query}`, form);
  form.reset(); // a switch shows what is so, not what is wished for
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    openDialog(link.href, link);
  }
  const back = event.target.closest("dialog [data-back]");
  if (back) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-dialog] [role=switch]")) event.target.form.requestSubmit();
});

// Without a script the switch only shows what is so, and the form's button switches.
function enableSwitches(within) {
  for (const one of within.querySelectorAll("form[data-dialog] [role=switch]")) one.disabled = false;
}

enableSwitches(document);

// Nothing outside a modal dialog is read out while it is open: what came meanwhile is said once it is closed.
const unsaid = new Set();

function announce(text) {
  if (!dialog.open) { announcement.textContent = text; return; }
  unsaid.delete(text); // said once, in the order of when it was last so
  unsaid.add(text);
}

dialog.addEventListener("close", () => {
  if (unsaid.size) announcement.textContent = [...unsaid].join(" ");
  unsaid.clear();
});

// What changed elsewhere is said once. The reader stays where they are; where that is gone, they go on from the heading
// that it stood under.
let said = document.querySelector("[data-announce]")?.dataset.announce;
let focused;
let heading;

document.addEventListener("htmx:before:swap", (event) => {
  for (const { fragment } of event.detail.tasks) enableSwitches(fragment);
  focused = document.activeElement;
  heading = focused?.closest("section")?.getAttribute("aria-labelledby");
});

document.addEventListener("htmx:after:swap", () => {
  if (focused && !focused.isConnected) (document.getElementById(heading) ?? document.getElementById("main")).focus();
  const now = document.querySelector("[data-announce]")?.dataset.announce;
  if (now && now !== said) announce(now);
  said = now;
});

// A page that can't be kept up to date says so: it may go on trying, or stop where nothing would come of that.
const ENDED = { 401: "live-ended", 403: "live-stopped", 404: "live-stopped" };

function tell(id, wanted) {
  const told = document.getElementById(id);
  if (!told || told.hidden !== wanted) return;
  told.hidden = !wanted;
  if (wanted) announce(told.textContent.trim());
}

document.addEventListener("htmx:error", () => tell("live-lost", true));

document.addEventListener("htmx:after:request", (event) => {
  const { response, sourceElement } = event.detail.ctx;
  const ended = ENDED[response.status];
  tell("live-lost", !ended && response.status >= 400);
  if (ended) {
    sourceElement.remove(); // htmx asks no more for what is not on the page
    tell(ended, true);
  }
});
