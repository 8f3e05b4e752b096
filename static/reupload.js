// Asks again for the picks of an uploaded list, which only this tab has kept. Where it has none, the upload starts over.
"use strict";

{
  const form = document.querySelector("[data-upload]");
  const posted = history.state?.posted;
  if (posted) {
    for (const [name, value] of Object.entries(posted)) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    form.submit(); // while this page is not whole yet, so that the answer takes its place in the history
  } else {
    location.replace(form.dataset.upload);
  }
}
