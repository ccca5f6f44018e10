"use strict";
// Puts a button into each heading of the table of videos, by which it sorts. Without this it is read as it stands.
{
  const table = document.querySelector("table.videos"), body = table.tBodies[0];
  const order = document.querySelector("#order"), headings = [...table.tHead.rows[0].cells];
  const collator = new Intl.Collator("en", {numeric: true});
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;

  function sort(column) {
    const heading = headings[column], isNumber = heading.classList.contains("number");
    const rising = heading.ariaSort ? heading.ariaSort === "descending" : !isNumber;
    const compare = isNumber ? (a, b) => a - b : collator.compare;
    const rows = [...body.rows].map(row => [key(row, column), row]);
    // What has no score or no reason comes last, whichever way the others go.
    rows.sort(([a], [b]) => (a === "") - (b === "") || (rising ? compare(a, b) : compare(b, a)));
    body.append(...rows.map(([, row]) => row));
    headings.forEach(other => other.removeAttribute("aria-sort"));
    heading.ariaSort = rising ? "ascending" : "descending";
    const first = isNumber ? ["highest", "lowest"] : ["from Z to A", "from A to Z"];
    order.textContent = `Sorted by ${heading.textContent.toLowerCase()}, ${first[+rising]}${isNumber ? " first" : ""}.`;
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(column));
    heading.append(button);
  });
}
