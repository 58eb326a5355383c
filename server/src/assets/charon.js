// What has to be live. Every page works without it. Each behaviour is one function, and begins where its mark (a data attribute) is.
"use strict";

/** The token that every request which changes something carries. */
const csrf = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

/** Asks before a form is sent whose consequences cannot be taken back: `<form data-confirm="…">`. */
function confirmBeforeSending(form) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

document.querySelectorAll("form[data-confirm]").forEach(confirmBeforeSending);
