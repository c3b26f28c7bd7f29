"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  all("[data-needs-script]").forEach((part) => { part.hidden = false; });
  const text = document.getElementById("filter"), verdict = document.getElementById("verdict"), shown = document.getElementById("shown");
  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (part) => (!verdict.value || part.dataset.verdict === verdict.value) && words.every((word) => part.dataset.text.includes(word));
    all("[data-text]").forEach((part) => { part.hidden = !fits(part); });
    all("[data-group]").forEach((part) => { part.hidden = !part.querySelector("[data-text]:not([hidden])"); });
    shown.textContent = `${all(".list tbody tr:not([hidden])").length} of ${all(".list tbody tr").length} checks`;
  };
  if (text) {
    text.addEventListener("input", filter);
    verdict.addEventListener("change", filter);
    filter();
  }
  all(".list thead button").forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => {
      const head = button.closest("th"), place = [...head.parentNode.children].indexOf(head), body = head.closest("table").tBodies[0];
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      all("th", head.parentNode).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      const key = (row) => row.children[place].dataset.sort ?? row.children[place].textContent;
      const order = (a, b) => (isNaN(key(a)) || isNaN(key(b)) ? key(a).localeCompare(key(b)) : Number(key(a)) - Number(key(b)));
      [...body.rows].sort((a, b) => way * order(a, b)).forEach((row) => body.append(row));
    });
  });
  all("button.copy").forEach((button) => button.addEventListener("click", async () => {
    const block = button.parentNode.querySelector("pre");
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }));
})();
