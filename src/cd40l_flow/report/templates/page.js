"use strict";
(() => {
  const save = (name, blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const bytes = (image) => Uint8Array.from(atob(image.src.split(",")[1]), (sign) => sign.charCodeAt(0));

  // Figures are saved from the page itself: as they are in it, or drawn anew in print's resolution.
  document.querySelectorAll(".save").forEach((place) => {
    const image = place.closest("figure").querySelector("img");
    place.hidden = false;
    place.addEventListener("click", (event) => {
      const form = event.target.dataset.form;
      if (form === "svg") save(`${place.dataset.file}.svg`, new Blob([bytes(image)], { type: "image/svg+xml" }));
      if (form !== "png") return;
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [4 * image.naturalWidth, 4 * image.naturalHeight];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(`${place.dataset.file}.png`, blob), "image/png");
    });
  });

  // What is folded on the screen is printed, and folded again afterwards.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("details.fold:not([open])"));
    folded.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));

  // A link into a folded part unfolds it.
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target && target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    if (target) target.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  if (location.hash) unfold();
})();
