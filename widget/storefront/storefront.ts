/** The demo shop's own script: the bag counts. It shares nothing with the widget but the page. */

import "./storefront.css";

const bag = document.querySelector("[data-bag]");
let count = 0;

for (const button of document.querySelectorAll("[data-add]")) {
  button.addEventListener("click", () => {
    count += 1;
    if (bag) bag.textContent = `${count}`;
  });
}
