// Never gives memory back.
export default {
  fetch() {
    const kept = [];
    for (;;) kept.push(new Array(1000).fill(kept.length));
  },
};
