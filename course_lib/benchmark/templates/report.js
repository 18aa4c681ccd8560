// The page is complete without this. It adds sortable columns and opens folded parts for print.
"use strict";

const value = (row, column) => {
  const cell = row.cells[column];
  return cell && cell.dataset.value !== undefined ? Number(cell.dataset.value) : null;
};

function sort(table, heading, column) {
  // Best first; once more turns it round.
  const best = heading.dataset.sort === "higher" ? "descending" : "ascending";
  const ascending = (heading.getAttribute("aria-sort") === best) !== (best === "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    if (x === null || y === null) return (x === null) - (y === null); // no value: always last
    return ascending ? x - y : y - x;
  });
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  body.append(...rows);
}

for (const heading of document.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = "Sort by this column, best first";
  button.append(...heading.childNodes);
  heading.append(button);
  const table = heading.closest("table");
  button.addEventListener("click", () => sort(table, heading, heading.cellIndex));
}

// The part that is being read is marked in the contents.
const entries = new Map(
  [...document.querySelectorAll("#contents a")].map((a) => [a.hash.slice(1), a])
);
const seen = new IntersectionObserver(
  (found) => {
    for (const { target, isIntersecting } of found) {
      const entry = entries.get(target.getAttribute("aria-labelledby"));
      if (isIntersecting) entry?.setAttribute("aria-current", "true");
      else entry?.removeAttribute("aria-current");
    }
  },
  { rootMargin: "-20% 0px -70% 0px" }
);
for (const part of document.querySelectorAll("main > section")) seen.observe(part);

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
  for (const image of document.images) image.loading = "eager";
});
addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});
