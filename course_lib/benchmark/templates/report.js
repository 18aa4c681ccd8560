// The page is complete without this. It adds sortable columns and opens folded parts for print.
"use strict";

const value = (row, column) => {
  const cell = row.cells[column];
  return cell && cell.dataset.value !== undefined ? Number(cell.dataset.value) : null;
};

function sort(table, heading, column) {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
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
  button.title = "Sort by this column";
  button.append(...heading.childNodes);
  heading.append(button);
  const table = heading.closest("table");
  button.addEventListener("click", () => sort(table, heading, heading.cellIndex));
}

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
  for (const image of document.images) image.loading = "eager";
});
addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});
